"""Figures without a window: saved as files or converted to arrays."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
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
    for text in figure.findobj(Text):
        # A dollar sign in a file's or a class's name begins no formula.
        text.set_parse_math(False)
        # Some characters of a name have no letter, such as bytes that are no UTF-8.
        text.set_text("\n".join(map(printable, text.get_text().split("\n"))))
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
