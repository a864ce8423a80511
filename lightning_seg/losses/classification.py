"""The loss of classification."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.losses.summed import Summed, means
from lightning_seg.numbers import check_number


class ClassificationLoss(nn.Module):
    """torch's cross-entropy, from class indices or from shares of classes.

    With class weights, the mean is weighted by the weights of the labels, as torch does for indices alone. So shares of
    1 and 0 cost the same as indices, with and without mixing.

    Args:
        label_smoothing: share of each label that is spread over all classes, in training mode alone: what is validated
            and tested costs what it costs without.
        class_weights: one number per class.

    Raises:
        ConfigError: if the smoothing is not in [0, 1].

    Examples:
        >>> loss = ClassificationLoss()
        >>> round(loss(torch.zeros(1, 4), torch.tensor([2])).item(), 4)  # ln 4
        1.3863
        >>> round(loss(torch.zeros(1, 4), torch.tensor([[0.5, 0.5, 0.0, 0.0]])).item(), 4)
        1.3863
    """

    class_weights: Tensor | None

    def __init__(self, label_smoothing: float = 0.0, class_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        check_number("label_smoothing", label_smoothing, 0.1, most=1)
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        # Not in checkpoints: the arguments of the task hold them.
        self.register_buffer("class_weights", weights, persistent=False)
        self.label_smoothing = label_smoothing
        self.weights = {"cross_entropy": 1.0}
        """Of each part; a loss of one's own may add some."""

    def weigh_classes(self, class_weights: Tensor) -> None:
        """Sets the class weights ``(C,)``."""
        self.class_weights = class_weights

    def sums(self, logits: Tensor, label: Tensor) -> dict[str, Summed]:
        """The loss by its name, from logits ``(B, C)`` and labels ``(B,)`` int64 or ``(B, C)`` float, rows of sum 1."""
        weights, smoothing = self.class_weights, self.label_smoothing if self.training else 0.0
        total = F.cross_entropy(logits.float(), label, weights, reduction="sum", label_smoothing=smoothing)
        if weights is None:
            return {"cross_entropy": Summed(total, total.new_full((), len(label)))}
        return {"cross_entropy": Summed(total, (weights[label] if label.ndim == 1 else label * weights).sum())}

    def total(self, sums: Mapping[str, Summed]) -> Tensor:
        """The scalar of ``sums``; in training mode together with all other processes."""
        terms = means(sums, over_processes=self.training)
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()

    def forward(self, logits: Tensor, label: Tensor) -> Tensor:
        """A scalar; arguments as for ``sums``."""
        return self.total(self.sums(logits, label))
