"""Figures of confusion matrices."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from lightning_seg.files import printable
from lightning_seg.plots.figures import new_figure

MANY_CLASSES = 20
"""From this number of classes on there is no room for numbers."""


def draw_confusion_matrix(matrix: Tensor, class_names: Sequence[str], title: str) -> Figure:
    """Rows are true classes, whose colours are shares of the row; columns are predicted classes.

    Args:
        matrix: ``(C, C)`` counts ``[true, predicted]``.
        class_names: by class index.
        title: what was counted.
    """
    counts = matrix.double()
    # A class without a picture has no shares: its row shows the grey behind.
    shares = counts / counts.sum(dim=1, keepdim=True)
    many = len(class_names) > MANY_CLASSES
    side = 2.2 + len(class_names) * (0.16 if many else 0.5)
    figure = new_figure(side + 1, side)
    axis = figure.subplots()
    axis.set_facecolor("lightgrey")
    image = axis.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, shrink=0.7, aspect=60 if many else 20, label="share of the true class")
    positions, size = range(len(class_names)), 6.5 if many else 9
    shown = [printable(name) for name in class_names]
    axis.set_xticks(positions, shown, rotation=90, fontsize=size)
    axis.set_yticks(positions, shown, fontsize=size)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    right, total = int(matrix.diag().sum()), int(matrix.sum())
    axis.set_title(f"{title}: {right} of {total} right")
    if not many:
        _write_counts(axis, matrix, shares)
    return figure


def _write_counts(axis: Axes, matrix: Tensor, shares: Tensor) -> None:
    for row, column in torch.nonzero(matrix).tolist():
        colour = "white" if shares[row, column] > 0.5 else "black"
        axis.text(column, row, str(int(matrix[row, column])), ha="center", va="center", fontsize=8, color=colour)
