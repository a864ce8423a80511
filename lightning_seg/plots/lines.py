"""Lines that differ in more than their colour: they are told apart without seeing colours, and on grey paper."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lightning_seg.plots.palette import LINES

MARKERS = "osD^v"
DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (6, 1, 1, 1, 1, 1)))
"""Dotted lines are those that mark a place."""
MARKED = 20
"""Points of a line that have a mark; where there are more they would hide it."""


def line_style(index: int) -> dict[str, Any]:
    """Colour, marker and dashes of a line; of twenty no two have the same marker and dashes."""
    return {
        "color": LINES[index % len(LINES)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index % len(DASHES)],
    }


def draw_line(axis: Axes, xs: Sequence[float], ys: Sequence[float], index: int, label: str) -> Line2D:
    """A line with its marks.

    Args:
        axis: to draw on.
        xs: places.
        ys: values.
        index: which of the lines of the axis it is.
        label: in the legend.
    """
    # Lines that lie upon each other have their marks at different places.
    every = max(1, -(-len(xs) // MARKED))
    (line,) = axis.plot(
        xs, ys, **line_style(index), markersize=4, markevery=(index % every, every), label=label, linewidth=1.6
    )
    return line
