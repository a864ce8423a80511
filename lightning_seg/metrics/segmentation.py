"""Segmentation metrics over all pixels of a split, from one confusion matrix."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.counting import count_cells
from lightning_seg.metrics.likelihood import mask_likelihood
from lightning_seg.metrics.parts import MetricPart, Values
from lightning_seg.metrics.picture_scores import Told, classes_in, foreground_dice, mean_picture_iou


class SegmentationMetrics(MetricPart):
    """``accuracy``, ``miou``, ``mdice``, ``iou/<class>`` and ``dice/<class>`` over all pixels, see ``summarize``.

    Args:
        num_classes: of the masks, at least 2.
        ignore_index: mask value that does not count.
        of_foreground: score single pictures by Dice of class 1, not by mean IoU.

    Examples:
        >>> metrics = SegmentationMetrics(num_classes=2)
        >>> metrics.update(torch.tensor([[[0, 1, 1]]]), torch.tensor([[[0, 0, 255]]]))  # the last pixel does not count
        >>> metrics.compute(["sky", "sea"])["iou/sky"]
        0.5
    """

    confmat: Tensor

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX, of_foreground: bool = False) -> None:
        super().__init__()
        self.ignored_label, self.of_foreground = ignore_index, of_foreground
        self.picture_quantity = "Dice" if of_foreground else "mean IoU"
        self.add_state("confmat", torch.zeros(num_classes, num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, mask: Tensor, foreground: Tensor | None = None) -> None:
        """Class indices ``(B, H, W)`` of both.

        torchmetrics' ``MulticlassConfusionMatrix`` selects the counted pixels first, which takes three times as long.
        """
        classes = len(self.confmat)
        ignored = classes**2
        pairs = (mask * classes + prediction).masked_fill(mask == self.ignored_label, ignored)
        self.confmat += count_cells(pairs, ignored + 1)[:ignored].view(classes, classes)

    def compute(self, class_names: Sequence[str] = ()) -> Values:
        self.pairs = self.confmat.cpu()
        return super().compute(class_names)

    def values(self, class_names: Sequence[str]) -> Values:
        return summarize(self.confmat, class_names)

    def score_pictures(self, prediction: Tensor, mask: Tensor, foreground: Tensor | None = None) -> Tensor:
        if self.of_foreground:
            return foreground_dice(prediction, mask, self.ignored_label)
        return mean_picture_iou(prediction, mask, len(self.confmat), self.ignored_label)

    def tell_pictures(  # type: ignore[override]
        self, prediction: Tensor, mask: Tensor, foreground: Tensor | None = None, log_probs: Tensor | None = None
    ) -> Told:
        counted, ignored = mask != self.ignored_label, self.ignored_label
        true, predicted = (classes_in(classes, len(self.confmat), counted) for classes in (mask, prediction))
        likelihood = None if log_probs is None else mask_likelihood(log_probs, prediction, mask, ignored)
        masks = mask.masked_fill(~counted, IGNORE_INDEX), prediction
        return Told(self.score_pictures(prediction, mask, foreground), true, predicted, likelihood, masks)


def summarize(matrix: Tensor, class_names: Sequence[str]) -> Values:
    """Accuracy, IoU and Dice from a confusion matrix ``[true, predicted]`` of pixels.

    ``accuracy`` is the share of pixels that are right, ``iou/<class>`` and ``dice/<class>`` are per class, ``miou`` and
    ``mdice`` their means. A class that is neither true nor predicted anywhere has no IoU: it is left out of both.

    Examples:
        Of four pixels of sky one is called sea; all four of sea are found.

        >>> values = summarize(torch.tensor([[3, 1], [0, 4]]), ["sky", "sea"])
        >>> values["accuracy"], round(values["miou"], 3)
        (0.875, 0.775)
        >>> values["iou/sky"], values["iou/sea"]
        (0.75, 0.8)
    """
    matrix = matrix.cpu().double()
    right = matrix.diag()
    touched = matrix.sum(0) + matrix.sum(1)
    seen = touched > 0
    iou, dice = right / (touched - right), 2 * right / touched
    values: dict[str, float | None] = {
        "accuracy": (right.sum() / matrix.sum()).item(),
        "miou": iou[seen].mean().item(),
        "mdice": dice[seen].mean().item(),
    }
    for index, name in enumerate(class_names):
        values[f"iou/{name}"] = iou[index].item() if seen[index] else None
        values[f"dice/{name}"] = dice[index].item() if seen[index] else None
    return values
