"""Figures of the confusion matrix of classifiers."""

from typing import Any

from matplotlib.figure import Figure

from lightning_seg.batch import Split
from lightning_seg.callbacks.split_plots import SplitPlots
from lightning_seg.plots.confusion_matrix import draw_confusion_matrix


class ConfusionMatrixPlots(SplitPlots):
    """Draws ``confusion_matrix_<split>.png`` of a classification task."""

    name = "confusion_matrix"

    def draw(self, scores: Any, class_names: tuple[str, ...], split: Split) -> Figure | None:
        matrix = getattr(scores, "matrix", None)
        if matrix is None:
            return None
        return draw_confusion_matrix(matrix, class_names, f"{split} split")
