"""Validation curves of several variants."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lightning_seg.plots.curves import SPLITS
from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.lines import draw_line
from lightning_seg.plots.quantities import axis_label


class BandCurve(NamedTuple):
    """A mean with its standard deviation over seeds."""

    name: str
    epochs: Sequence[int]
    means: Sequence[float]
    deviations: Sequence[float]


def draw_comparison(
    curves: Sequence[BandCurve], quantity: str, num_seeds: int, crossings: Sequence[int] = (), zoomed: bool = False
) -> Figure:
    """A line and a band per variant.

    Args:
        curves: one per variant.
        quantity: name of the metric.
        num_seeds: number of seeds of the mean and deviation.
        crossings: epochs to mark.
        zoomed: show the last half of the epochs only, as high as the data there.
    """
    figure = new_figure(8.0, 4.8)
    axis = figure.subplots()
    first = _middle(curves) if zoomed else 0
    for index, curve in enumerate(curves):
        _draw_curve(axis, curve, index, first)
    shown = [epoch for epoch in dict.fromkeys(crossings) if epoch >= first]
    for epoch in shown:
        axis.axvline(epoch, color="grey", linestyle=":", label=None if epoch != shown[0] else "the lead changes")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epochs")
    split, _, measured = quantity.rpartition("/")
    axis.set_ylabel(f"{SPLITS.get(split, split)} {axis_label(measured)}".strip())
    band = f"mean of {num_seeds} seeds ± standard deviation" if num_seeds > 1 else "one seed"
    axis.set_title(f"{quantity}, {band}")
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def _middle(curves: Sequence[BandCurve]) -> int:
    """The first epoch of the last half."""
    last = max(max(curve.epochs, default=0) for curve in curves)
    return last // 2 + 1


def _draw_curve(axis: Axes, curve: BandCurve, index: int, first: int) -> None:
    epochs, means, deviations = (np.array(values, float) for values in curve[1:])
    kept = epochs >= first
    epochs, means, deviations = epochs[kept], means[kept], deviations[kept]
    line = draw_line(axis, epochs.tolist(), means.tolist(), index, curve.name)
    if deviations.any():
        low, high = means - deviations, means + deviations
        axis.fill_between(epochs, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
