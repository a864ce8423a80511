"""Figures of the confusion matrix of classifiers."""

from matplotlib.figure import Figure

from lightning_seg.batch import Split
from lightning_seg.callbacks.split_plots import SplitPlots
from lightning_seg.metrics.classification import ClassCounts
from lightning_seg.plots.confusion_matrix import draw_confusion_matrix


class ConfusionMatrixPlots(SplitPlots[ClassCounts]):
    """Draws ``confusion_matrix_<split>.png`` of a classification task."""

    name = "confusion_matrix"
    part = ClassCounts

    def draw(self, part: ClassCounts, class_names: tuple[str, ...], split: Split) -> Figure | None:
        return None if part.pairs is None else draw_confusion_matrix(part.pairs, class_names, f"{split} split")
