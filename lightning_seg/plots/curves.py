"""Training curves."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.lines import draw_line
from lightning_seg.plots.quantities import axis_label

Curve = Mapping[int, float]
"""Epoch to value."""
SPLITS = {"train": "training", "val": "validation"}


def draw_curves(curves: Mapping[str, Curve], quantities: Sequence[str], loss_is: str | None = None) -> Figure:
    """One panel per quantity, training and validation in each.

    Args:
        curves: by metric name, for instance ``train/loss`` and ``val/loss``.
        quantities: one per panel, for instance ``loss`` and ``miou``.
        loss_is: the parts of the loss, see ``axis_label``.
    """
    figure = new_figure(5.2 * len(quantities), 3.8)
    for axis, quantity in zip(figure.subplots(1, len(quantities), squeeze=False)[0], quantities, strict=True):
        for index, (split, name) in enumerate(SPLITS.items()):
            curve = curves.get(f"{split}/{quantity}", {})
            # Counted from one: the value after that many epochs.
            draw_line(axis, [epoch + 1 for epoch in curve], list(curve.values()), index, name)
        axis.set_xlabel("epochs")
        axis.set_ylabel(axis_label(quantity, loss_is))
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend()
    return figure
