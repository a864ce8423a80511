"""Figures without a window: saved as files or converted to arrays."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.ticker import NullLocator
from PIL import Image

from lightning_seg.files import printable, replacing
from lightning_seg.images import Array, write_image
from lightning_seg.plots.formats import FORMATS, PNG, Formats

VECTOR: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""Formats without pixels, and what matplotlib would write down of the time and itself."""


def new_figure(width: float, height: float) -> Figure:
    """A figure of ``width`` x ``height`` inches."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_plot(figure: Figure, path: Path, formats: Formats = PNG, picture: Array | None = None) -> None:
    """Every plot of a run, a comparison or a prediction is written here, a file for each format.

    Files of the other formats that an earlier command has written are removed: they would show something else.

    Args:
        figure: to write.
        path: without suffix.
        formats: some of ``FORMATS``.
        picture: the figure as an array, where it has been drawn already.
    """
    for kind in FORMATS:
        file = path.with_name(f"{path.name}.{kind}")
        if kind not in formats:
            file.unlink(missing_ok=True)
        elif kind == "png" and picture is not None:
            write_image(Image.fromarray(picture), file)
        else:
            save_figure(figure, file)


def remove_plot(path: Path) -> None:
    """Remove a plot in all formats; ``path`` is without suffix."""
    for kind in FORMATS:
        path.with_name(f"{path.name}.{kind}").unlink(missing_ok=True)


def save_figure(figure: Figure, path: Path) -> None:
    """In the format of the suffix: SVG and PDF by matplotlib, pictures by Pillow."""
    kind = path.suffix[1:].lower()
    if kind in VECTOR:
        content = _drawn(figure, kind, path.stem)
        with replacing(path) as file:
            file.write(content)
    else:
        write_image(Image.fromarray(figure_to_array(figure)), path)


def figure_to_array(figure: Figure) -> Array:
    """``(H, W, 3)`` uint8 RGB at 100 dots per inch."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    _make_harmless(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def figure_to_svg(figure: Figure, name: str) -> str:
    """An ``svg`` element for an HTML page, without a background; texts and axes take the colour of the page's text.

    Args:
        figure: to draw; its black becomes the colour of the text.
        name: unique among the figures of the page.
    """
    figure.patch.set_visible(False)
    for axis in figure.axes:
        axis.patch.set_visible(False)
    for legend in figure.findobj(Legend):
        legend.get_frame().set_visible(False)
    element = _drawn(figure, "svg", name).decode()
    element = re.sub(r"<metadata>.*?</metadata>", "", element[element.index("<svg") :], flags=re.DOTALL)
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", element)
    return re.sub(r"#000000\b", "currentColor", element)


def _drawn(figure: Figure, kind: str, name: str) -> bytes:
    """A file of matplotlib's own writer. Two of the same figure are the same.

    Args:
        figure: to draw.
        kind: one of ``VECTOR``.
        name: decides the names of what is drawn in it.
    """
    _make_harmless(figure)
    file = BytesIO()
    # Letters stay letters, which can be searched, read aloud and set in another font.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "pdf.fonttype": 42}):
        figure.savefig(file, format=kind, metadata=VECTOR[kind])
    return file.getvalue()


def _make_harmless(figure: Figure) -> None:
    """Names of files and classes as text, whatever they hold."""
    for axes in figure.axes:
        if not axes.axison:
            # Looking for texts makes ticks, which takes as long as drawing; pictures show none.
            axes.xaxis.set_major_locator(NullLocator())
            axes.yaxis.set_major_locator(NullLocator())
    for text in figure.findobj(Text):
        # A dollar sign in a file's or a class's name begins no formula.
        text.set_parse_math(False)
        # Some characters of a name have no letter, such as bytes that are no UTF-8.
        text.set_text("\n".join(map(printable, text.get_text().split("\n"))))
