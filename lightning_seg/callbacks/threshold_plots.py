"""Figures of precision and recall over the threshold, for tasks with one logit."""

from matplotlib.figure import Figure

from lightning_seg.batch import Split
from lightning_seg.callbacks.split_plots import SplitPlots
from lightning_seg.metrics.thresholds import ThresholdCounts
from lightning_seg.plots.thresholds import draw_thresholds


class ThresholdPlots(SplitPlots[ThresholdCounts]):
    """Draws ``precision_recall_<split>.png`` of a task whose one logit tells two classes apart."""

    name = "precision_recall"
    part = ThresholdCounts

    def draw(self, part: ThresholdCounts, class_names: tuple[str, ...], split: Split) -> Figure | None:
        curves = part.curves
        if curves is None:
            return None
        title = f"{class_names[-1]}, {split} split, average precision {curves.average_precision:.4f}"
        return draw_thresholds(
            curves.thresholds, curves.precision, curves.recall, curves.dice, curves.best_threshold, title
        )
