"""Whether probabilities mean what they say."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from torch import Tensor

from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.palette import BLUE, VERMILLION


def draw_reliability(answers: Tensor, right: Tensor, confidence: Tensor, title: str, unit: str) -> Figure:
    """The share of right answers over the confidence, and below it how many answers there are.

    Args:
        answers: ``(bins,)`` counts, by confidence in equal steps from 0 to 1.
        right: likewise, those that are true.
        confidence: likewise, the sums of their confidences.
        title: what was measured.
        unit: what an answer is about, for instance pixels.
    """
    bins, seen = len(answers), answers > 0
    middles = [(index + 0.5) / bins for index in seen.nonzero().flatten().tolist()]
    counts = answers[seen].tolist()
    figure = new_figure(5.4, 6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.bar(middles, (right[seen] / answers[seen]).tolist(), width=0.96 / bins, color=BLUE, label="right")
    upper.plot([0, 1], [0, 1], linestyle="--", color="grey", label="as sure as right")
    means = (confidence[seen] / answers[seen]).tolist()
    upper.plot(means, means, "D", color=VERMILLION, markersize=4, label="mean confidence")
    upper.set_ylabel("share of right answers (0 to 1)")
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1.02)
    upper.set_title(title, fontsize=10)
    upper.legend(loc="upper left")
    bars = lower.bar(middles, counts, width=0.96 / bins, color=BLUE)
    lower.bar_label(bars, [_short(count) for count in counts], fontsize=7, rotation=90, padding=2)
    lower.margins(y=0.5)
    lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    lower.set_ylabel(f"number of {unit}")
    lower.set_xlabel("confidence: probability of the predicted class (0 to 1)")
    for axis in (upper, lower):
        axis.grid(alpha=0.3)
        axis.set_axisbelow(True)
    return figure


def _short(count: float) -> str:
    """At most three digits and a letter."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        # From here on it would be rounded to 1,000 of the next smaller unit.
        if count >= 0.9995 * size:
            return f"{count / size:.3g}{letter}"
    return f"{count:.3g}"
