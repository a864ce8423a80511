"""The loss of classification."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.numbers import check_number


class ClassificationLoss(nn.Module):
    """torch's cross-entropy, from class indices or from shares of classes.

    With class weights, means are weighted by those of the labels, as torch does it for indices alone: shares that are 1
    and 0 cost what indices cost, so training with and without mixing has one scale.

    Args:
        label_smoothing: share of each label that is spread over all classes.
        class_weights: one number per class.

    Raises:
        ConfigError: if the smoothing is no share.
    """

    class_weights: Tensor | None

    def __init__(self, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        check_number("label_smoothing", label_smoothing, 0.1, most=1)
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        # Not in checkpoints: the arguments of the task hold them.
        self.register_buffer("class_weights", weights, persistent=False)
        self.label_smoothing = label_smoothing

    def weigh_classes(self, class_weights: Tensor) -> None:
        """Sets the class weights ``(C,)``."""
        self.class_weights = class_weights

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """A scalar, from logits ``(B, C)`` and labels ``(B,)`` int64 or ``(B, C)`` float whose rows sum to 1."""
        weights, logits = self.class_weights, logits.float()
        if weights is None:
            return F.cross_entropy(logits, label, label_smoothing=self.label_smoothing)
        total = F.cross_entropy(logits, label, weights, reduction="sum", label_smoothing=self.label_smoothing)
        weight = (weights[label] if label.ndim == 1 else label * weights).sum()
        # A batch of classes that have the weight 0 costs nothing, and is not 0 / 0.
        return total / weight.where(weight > 0, 1)
