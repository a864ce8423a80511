"""The loss over the learning rate."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.palette import BLUE, GREEN, VERMILLION
from lightning_seg.plots.quantities import axis_label

Numbers = NDArray[np.float64]


def draw_rates(
    rates: Numbers, losses: Numbers, smoothed: Numbers, suggested: int, lowest: int, title: str = "", loss_is: str = ""
) -> Figure:
    """The losses of a sweep, with the suggestion and where the loss is lowest.

    Args:
        rates: of the steps.
        losses: after each step.
        smoothed: the same without the noise of batches.
        suggested: the step whose rate is suggested.
        lowest: the step with the lowest smoothed loss.
        title: what was trained.
        loss_is: the parts of the loss, see ``axis_label``.
    """
    figure = new_figure(6.4, 4.2)
    axis = figure.subplots()
    axis.plot(rates, losses, ".", color="grey", markersize=3, label="each step")
    axis.plot(rates, smoothed, "-", color=BLUE, label="smoothed")
    for step, marker, colour, label in (
        (suggested, "o", VERMILLION, f"suggestion {rates[suggested]:.2g}: falls fastest"),
        (lowest, "s", GREEN, f"lowest at {rates[lowest]:.2g}, rises beyond"),
    ):
        axis.axvline(rates[step], color=colour, linestyle="--" if step == suggested else ":", linewidth=1)
        axis.plot(rates[step], smoothed[step], marker, color=colour, markersize=7, label=label)
    axis.set_xscale("log")
    # Powers would be drawn as formulas, which no text here may be.
    axis.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    low, high = float(np.min(smoothed)), float(np.max(smoothed))
    room = 0.15 * (high - low) or 1.0
    axis.set_ylim(low - room, high + room)
    axis.set_xlabel("learning rate (--model.lr)")
    axis.set_ylabel(f"training {axis_label('loss', loss_is)} of the next step")
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return figure
