"""Training curves."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightning_seg.plots.figures import new_figure

Curve = Mapping[int, float]
"""Epoch to value."""
MANY_EPOCHS = 100
"""From this number on values have no marks."""


def draw_curves(curves: Mapping[str, Curve], quantities: Sequence[str]) -> Figure:
    """One panel per quantity, training and validation in each.

    Args:
        curves: by metric name, for instance ``train/loss`` and ``val/loss``.
        quantities: one per panel, for instance ``loss`` and ``miou``.
    """
    figure = new_figure(5.0 * len(quantities), 3.8)
    for axis, quantity in zip(figure.subplots(1, len(quantities), squeeze=False)[0], quantities, strict=True):
        for split, style in (("train", "o--"), ("val", "o-")):
            curve = curves.get(f"{split}/{quantity}", {})
            # Counted from one: the value after that many epochs.
            axis.plot([epoch + 1 for epoch in curve], list(curve.values()), style, markersize=3, label=split)
        axis.set_xlabel("epochs")
        axis.set_title(quantity)
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        for line in axis.lines:
            # So close to each other they would hide the line.
            line.set_marker("o" if np.size(line.get_xdata()) <= MANY_EPOCHS else "")
        axis.legend()
    return figure
