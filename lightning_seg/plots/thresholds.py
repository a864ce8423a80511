"""Precision and recall over the threshold."""

from matplotlib.figure import Figure
from torch import Tensor

from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.lines import draw_line
from lightning_seg.plots.palette import BLUE


def draw_thresholds(
    thresholds: Tensor, precision: Tensor, recall: Tensor, dice: Tensor, best_threshold: float, title: str
) -> Figure:
    """Precision, recall and Dice over the threshold, and precision over recall.

    Args:
        thresholds: ``(T,)``, ascending in [0, 1).
        precision: ``(T,)``.
        recall: ``(T,)``.
        dice: ``(T,)``, the harmonic mean of both.
        best_threshold: where Dice is highest; marked in both panels.
        title: what was measured.
    """
    figure = new_figure(10.0, 4.0)
    left, right = figure.subplots(1, 2)
    for index, (values, name) in enumerate(((precision, "precision"), (recall, "recall"), (dice, "Dice"))):
        draw_line(left, thresholds.tolist(), values.tolist(), index, name)
    left.axvline(best_threshold, color="grey", linestyle=":", label=f"best threshold {best_threshold:.3f}")
    left.set_xlabel("threshold (probability)")
    left.set_ylabel("share (0 to 1)")
    best = int((thresholds - best_threshold).abs().argmin())
    right.plot(recall, precision, color=BLUE)
    right.plot(recall[best], precision[best], "o", color="grey", label=f"Dice {dice[best]:.4f} at {best_threshold:.3f}")
    right.set_xlabel("recall (0 to 1)")
    right.set_ylabel("precision (0 to 1)")
    for axis in (left, right):
        axis.set_ylim(-0.02, 1.02)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.suptitle(title)
    return figure
