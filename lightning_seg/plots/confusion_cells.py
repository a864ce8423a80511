"""Figures of confusion matrices for pages: light or dark, with any number of classes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lightning_seg.files import printable
from lightning_seg.plots.figures import new_figure

MANY_CLASSES = 20
"""From this number of classes on there is no room for numbers."""
LONGEST_NAME = 40
COLOUR = np.array([42, 118, 196]) / 255
"""Between black and white, so that black and white letters can both be read on it."""
LEAST, MOST = 0.08, 0.85
"""Opacity of the smallest and the largest share."""


def draw_confusion_cells(
    counts: Sequence[Sequence[int]], class_names: Sequence[str], in_percent: bool = False
) -> Figure:
    """Rows are true classes; a cell is the more opaque, the larger its share of the row. Empty cells are left out.

    Args:
        counts: ``[true][predicted]``.
        class_names: by class index.
        in_percent: write shares of the row into the cells, where counts would be too long.
    """
    matrix = np.asarray(counts)
    many = len(class_names) > MANY_CLASSES
    side = 1.6 + len(class_names) * (0.15 if many else 0.5)
    figure = new_figure(side + 0.6, side)
    axis = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    places: list[list[int]] = np.argwhere(matrix).tolist()
    opacities = [LEAST + (MOST - LEAST) * shares[row, column] for row, column in places]
    cells = [Rectangle((column - 0.5, row - 0.5), 1, 1) for row, column in places]
    axis.add_collection(PatchCollection(cells, facecolors=[(*COLOUR, one) for one in opacities], edgecolors="none"))
    _name(axis, class_names, many)
    if not many:
        for row, column in places:
            said = f"{100 * shares[row, column]:.1f}" if in_percent else str(matrix[row, column])
            axis.text(column, row, said, ha="center", va="center", fontsize=9)
    return figure


def _name(axis: Axes, class_names: Sequence[str], many: bool) -> None:
    positions, size = range(len(class_names)), 6.5 if many else 9
    names = [printable(name) for name in class_names]
    shown = [name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in names]
    axis.set_xticks(positions, shown, rotation=90, fontsize=size)
    axis.set_yticks(positions, shown, fontsize=size)
    axis.set_xlim(-0.5, len(class_names) - 0.5)
    axis.set_ylim(len(class_names) - 0.5, -0.5)
    axis.set_aspect("equal")
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
