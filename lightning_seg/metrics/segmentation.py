"""Segmentation metrics over all pixels of a split, from one confusion matrix."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.counting import count_cells


class SegmentationMetrics(MulticlassConfusionMatrix):
    """Counts pixels over a whole split and over all processes, so partial batches need no correction.

    ``update`` takes predictions and masks ``(B, H, W)`` of class indices; ``compute`` gives ``matrix[true, predicted]``
    of shape ``(C, C)``.
    """

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(num_classes, ignore_index=ignore_index, validate_args=False)
        self.ignored_label: int = ignore_index

    def update(self, preds: Tensor, target: Tensor) -> None:
        """As torchmetrics', but without selecting the counted pixels first, which takes three times as long."""
        classes = len(self.confmat)
        ignored = classes**2
        pairs = (target * classes + preds).masked_fill(target == self.ignored_label, ignored)
        self.confmat += count_cells(pairs, ignored + 1)[:ignored].view(classes, classes)


def metric_names(class_names: Sequence[str]) -> list[str]:
    """Everything that ``summarize`` can give."""
    return ["accuracy", "miou", "mdice", *(f"{kind}/{name}" for kind in ("iou", "dice") for name in class_names)]


def summarize(matrix: Tensor, class_names: Sequence[str]) -> dict[str, float]:
    """Accuracy, IoU and Dice from a confusion matrix ``[true, predicted]`` of pixels.

    ``accuracy`` is the share of pixels that are right, ``iou/<class>`` and ``dice/<class>`` are per class, ``miou`` and
    ``mdice`` their means. A class that is neither true nor predicted anywhere has no IoU: it is left out of both.
    """
    matrix = matrix.cpu().double()
    right = matrix.diag()
    touched = matrix.sum(0) + matrix.sum(1)
    seen = touched > 0
    iou, dice = right / (touched - right), 2 * right / touched
    values = {"accuracy": right.sum() / matrix.sum(), "miou": iou[seen].mean(), "mdice": dice[seen].mean()}
    for index in torch.nonzero(seen).flatten().tolist():
        values[f"iou/{class_names[index]}"] = iou[index]
        values[f"dice/{class_names[index]}"] = dice[index]
    return {name: value.item() for name, value in values.items()}
