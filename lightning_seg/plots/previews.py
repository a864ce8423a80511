"""Training pictures with their masks laid over them."""

from collections.abc import Sequence
from math import ceil, sqrt
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from torch import Tensor

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.images import Array
from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.overlay import draw_classes
from lightning_seg.plots.palette import background_of, class_patches, palette_of

WIDTH = 2.4
"""Inches per cell."""
TITLE_LENGTH = 38
"""Letters that fit above a cell."""
OPACITY = 0.4
Masks = Literal["tint", "outline", "none"]
MANY_CLASSES = 24


class Cell(NamedTuple):
    """One picture of a preview."""

    image: Tensor  # (3, H, W) uint8 RGB
    title: str
    mask: Tensor | None = None  # (H, W) class indices, 255 = ignore


def draw_preview(
    cells: Sequence[Cell],
    class_names: Sequence[str],
    columns: int | None = None,
    masks: Masks = "tint",
    tint_background: bool = False,
) -> Figure:
    """The cells row by row, scaled to one width, and a legend of the classes.

    Args:
        cells: at least one; they may differ in size.
        class_names: by class index.
        columns: None for as many as there are rows.
        masks: how masks are shown.
        tint_background: darken the background, too.
    """
    if masks == "none":
        cells = [cell._replace(mask=None) for cell in cells]
    columns = min(columns or ceil(sqrt(len(cells))), len(cells))
    heights = [_height(cells[first : first + columns]) for first in range(0, len(cells), columns)]
    # An outline shows it, too.
    entries = _legend(cells, class_names, tint_background or masks == "outline")
    width = columns * WIDTH
    legend_columns = _fitting(entries, width)
    figure = new_figure(width, sum(heights) + 0.22 * ceil(len(entries) / legend_columns) + 0.1)
    axes = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights).flatten()
    for axis in axes:
        axis.set_axis_off()
    for axis, cell in zip(axes, cells, strict=False):
        axis.imshow(lay_over(cell, class_names, masks, tint_background))
        axis.set_title(_shorten(cell.title), fontsize=7, pad=2)
    if entries:
        figure.legend(handles=entries, loc="outside lower center", ncols=legend_columns, frameon=False, fontsize=9)
    return figure


def lay_over(cell: Cell, class_names: Sequence[str], masks: Masks = "tint", tint_background: bool = False) -> Array:
    """``(H, W, 3)`` uint8: the picture tinted with the colours of its classes; ignored pixels are nearly white.

    An outline colours only the pixels of a class that touch another one.
    """
    image: Array = cell.image.permute(1, 2, 0).cpu().numpy()
    if cell.mask is None:
        return image
    if masks == "outline":
        mask = cell.mask.cpu().numpy()
        edge = _touching(mask)
        colours = np.where(mask[..., None] == IGNORE_INDEX, np.uint8(255), palette_of(class_names)[mask])
        return np.where(edge[..., None], colours, image)
    # Less than in predictions: colours that were drawn at random have to be judged.
    mask = cell.mask.cpu().numpy()
    return np.asarray(draw_classes(np.ascontiguousarray(image), mask, class_names, OPACITY, tint_background))


def _touching(mask: Array) -> NDArray[np.bool_]:
    """Pixels with another class above, below, left or right."""
    edge = np.zeros(mask.shape, np.bool_)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def _legend(cells: Sequence[Cell], class_names: Sequence[str], background: bool) -> list[Patch]:
    """All classes; if there are very many, only those in the pictures."""
    untouched = None if background else background_of(class_names)
    seen = {index for cell in cells if cell.mask is not None for index in np.unique(cell.mask.cpu().numpy()).tolist()}
    shown = [index for index in range(len(class_names)) if index in seen or len(class_names) <= MANY_CLASSES]
    classes = class_patches(class_names)
    patches = [classes[index] for index in shown if seen and index != untouched]
    ignored = [Patch(facecolor="white", edgecolor="grey", label="ignored")] if IGNORE_INDEX in seen else []
    return patches + ignored


def _fitting(entries: Sequence[Patch], width: float) -> int:
    """How many legend entries fit side by side; a letter of size 9 is about 0.08 inches wide."""
    widest = max((0.65 + 0.08 * len(str(entry.get_label())) for entry in entries), default=width)
    return max(1, min(len(entries), int(width / widest)))


def _height(row: Sequence[Cell]) -> float:
    """Height in inches of a row for its tallest picture, within limits, and its title."""
    tallest = max(cell.image.shape[1] / cell.image.shape[2] for cell in row)
    return WIDTH * min(max(tallest, 0.4), 1.6) + 0.2


def _shorten(title: str) -> str:
    half = (TITLE_LENGTH - 1) // 2
    return title if len(title) <= TITLE_LENGTH else f"{title[:half]}…{title[-half:]}"
