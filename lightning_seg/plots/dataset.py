"""Figures about a dataset: shares of its classes, sizes of its pictures."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter, StrMethodFormatter
from numpy.typing import NDArray

from lightning_seg.files import printable
from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.palette import BLUE

MANY = 24
"""Of more classes only the most frequent and the rarest are drawn."""
BAR = 0.23
"""Inches."""
LONGEST_NAME = 28
BINS = 30


def draw_shares(class_names: Sequence[str], shares: Sequence[float], counted: str) -> Figure:
    """A bar for each class, the most frequent first.

    Args:
        class_names: by class index.
        shares: likewise, of what is trained on, summing to 1.
        counted: what they are shares of, for instance pixels.
    """
    order = np.argsort(-np.asarray(shares), kind="stable").tolist()
    if len(order) > MANY:
        order = [*order[: MANY // 2], None, *order[-MANY // 2 :]]
    names = [_shorten(class_names[index]) if index is not None else f"({len(shares) - MANY} more)" for index in order]
    values = [shares[index] if index is not None else 0.0 for index in order]
    figure = new_figure(7.0, 0.7 + BAR * len(order))
    axis = figure.subplots()
    bars = axis.barh(range(len(order)), values, color=BLUE)
    axis.bar_label(bars, ["" if index is None else f"{shares[index]:.2%}" for index in order], padding=3, fontsize=8)
    axis.set_yticks(range(len(order)), names, fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.12, y=0.01)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0))
    axis.set_xlabel(f"share of the {counted} to train on")
    _clear(axis)
    return figure


def draw_sizes(sizes: NDArray[np.int32]) -> Figure:
    """How many pictures have which shorter side and which shape.

    Args:
        sizes: ``(N, 2)``, at least one: height and width in pixels.
    """
    figure = new_figure(7.0, 2.4)
    left, right = figure.subplots(1, 2)
    _histogram(left, sizes.min(axis=1), "shorter side, pixels")
    _histogram(right, sizes[:, 1] / sizes[:, 0], "width / height")
    left.set_ylabel("pictures")
    return figure


def _histogram(axis: Axes, values: NDArray[np.number], label: str) -> None:
    if values.min() == values.max():
        axis.bar([0], [len(values)], width=0.2, color=BLUE)
        axis.set_xlim(-1, 1)
        axis.set_xticks([0], [f"{values[0]:.4g}"])
    else:
        wide = values.max() > 10 * values.min()
        places = np.log(values) if wide else values
        edges = np.histogram_bin_edges(places, min(BINS, len(np.histogram_bin_edges(places, "auto")) - 1))
        # Rounding must not leave the smallest and the largest one out.
        counts, _ = np.histogram(places, edges)
        axis.stairs(counts, np.exp(edges) if wide else edges, fill=True, color=BLUE)
        if wide:
            axis.set_xscale("log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlabel(label)
    _clear(axis)


def _clear(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)


def _shorten(name: str) -> str:
    # Names of ticks are set anew whenever the figure is drawn.
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
