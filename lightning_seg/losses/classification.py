"""The loss of classification."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.errors import ConfigError


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
        if not 0 <= label_smoothing <= 1:
            raise ConfigError(f"label_smoothing {label_smoothing} must lie between 0 and 1, for instance 0.1")
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        # Not in checkpoints: the arguments of the task hold them.
        self.register_buffer("class_weights", weights, persistent=False)
        self.label_smoothing = label_smoothing

    def weigh_classes(self, class_weights: Tensor) -> None:
        """Sets the class weights ``(C,)``."""
        self.class_weights = class_weights

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """A scalar, from logits ``(B, C)`` and labels ``(B,)`` int64 or ``(B, C)`` float whose rows sum to 1."""
        loss = F.cross_entropy(logits.float(), label, self.class_weights, label_smoothing=self.label_smoothing)
        if label.ndim == 1 or self.class_weights is None:
            return loss
        return loss * len(label) / (label * self.class_weights).sum()
