"""Figures without a window: saved as files or converted to arrays."""

import re
from io import StringIO
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from PIL import Image

from lightning_seg.files import printable
from lightning_seg.images import Array, write_image


def new_figure(width: float, height: float) -> Figure:
    """A figure of ``width`` x ``height`` inches."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    save_array(figure_to_array(figure), path)


def save_array(picture: Array, path: Path) -> None:
    """``(H, W, 3)`` uint8 RGB as a picture file."""
    write_image(Image.fromarray(picture), path)


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
    _make_harmless(figure)
    figure.patch.set_visible(False)
    for axis in figure.axes:
        axis.patch.set_visible(False)
    for legend in figure.findobj(Legend):
        legend.get_frame().set_visible(False)
    file = StringIO()
    # Letters stay letters, which can be searched and read aloud; two files of the same figure are the same.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    element = file.getvalue()
    element = re.sub(r"<metadata>.*?</metadata>", "", element[element.index("<svg") :], flags=re.DOTALL)
    element = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", element)
    return re.sub(r"#000000\b", "currentColor", element)


def _make_harmless(figure: Figure) -> None:
    """Names of files and classes as text, whatever they hold."""
    for text in figure.findobj(Text):
        # A dollar sign in a file's or a class's name begins no formula.
        text.set_parse_math(False)
        # Some characters of a name have no letter, such as bytes that are no UTF-8.
        text.set_text("\n".join(map(printable, text.get_text().split("\n"))))
