"""Classification metrics over all pictures of a split, from one confusion matrix and a few counts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_seg.metrics.counting import count_cells
from lightning_seg.metrics.likelihood import label_likelihood
from lightning_seg.metrics.parts import MetricPart, Values
from lightning_seg.metrics.picture_scores import Told

TOP = 5


class ClassCounts(MetricPart):
    """``accuracy`` and others over all pictures of a split.

    * ``accuracy``: the share of pictures whose likeliest class is the true one. For a mixed picture the true class is
      that of the larger share, the first of two equal ones;
    * ``macro_f1``: the mean over the classes of F1, the harmonic mean of precision and recall; a class that is neither
      true nor predicted anywhere is left out;
    * ``top5_accuracy``: the share whose true class is among the five likeliest, if there are more than five classes;
    * ``soft_accuracy``, only if there are pictures mixed of several classes: the mean share of their likeliest class in
      the label; a network that is always right reaches the mean of the larger shares, not 1.

    Args:
        num_classes: at least 2.
        may_mix: whether labels may be shares.
    """

    picture_quantity = "accuracy"
    matrix: Tensor
    in_top: Tensor
    soft: Tensor
    num_soft: Tensor

    def __init__(self, num_classes: int, may_mix: bool = False) -> None:
        super().__init__()
        self.may_mix = may_mix
        long = torch.int64
        self.add_state("matrix", torch.zeros(num_classes, num_classes, dtype=long), dist_reduce_fx="sum")
        self.add_state("in_top", torch.zeros((), dtype=long), dist_reduce_fx="sum")
        self.add_state("soft", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("num_soft", torch.zeros((), dtype=long), dist_reduce_fx="sum")

    def update(self, answers: Tensor, label: Tensor) -> None:
        """Logits or probabilities ``(B, C)`` and labels ``(B,)`` int64 or ``(B, C)`` float."""
        classes, predicted = len(self.matrix), answers.argmax(dim=1)
        if label.ndim == 2:
            is_mixed = (label > 0).sum(dim=1) > 1
            shares = label.gather(1, predicted.unsqueeze(1)).squeeze(1).double()
            # Picked out by their positions, these would have to be waited for.
            self.soft += shares.where(is_mixed, 0).sum()
            self.num_soft += is_mixed.sum()
            label = label.argmax(dim=1)
        self.matrix += count_cells(label * classes + predicted, classes**2).view(classes, classes)
        highest = answers.topk(min(TOP, classes), dim=1).indices
        self.in_top += (highest == label.unsqueeze(1)).sum()

    def compute(self, class_names: Sequence[str] = ()) -> Values:
        self.pairs = self.matrix.cpu()
        return super().compute(class_names)

    def values(self, class_names: Sequence[str]) -> Values:
        values = summarize(self.matrix.cpu())
        if len(self.matrix) > TOP:
            values["top5_accuracy"] = (self.in_top / self.matrix.sum()).item()
        if self.may_mix:
            values["soft_accuracy"] = (self.soft / self.num_soft).item() if self.num_soft else None
        return values

    def score_pictures(self, answers: Tensor, label: Tensor) -> Tensor:
        """1 for each right and 0 for each wrong picture."""
        return (answers.argmax(dim=1) == _true(label)).float()

    def tell_pictures(self, answers: Tensor, label: Tensor, log_probs: Tensor | None = None) -> Told:  # type: ignore[override]
        likelihood = None if log_probs is None else label_likelihood(log_probs, label)
        return Told(self.score_pictures(answers, label), _true(label), answers.argmax(dim=1), likelihood)


def _true(label: Tensor) -> Tensor:
    """Class indices ``(B,)``; of shares that of the largest."""
    return label.argmax(dim=1) if label.ndim == 2 else label


def summarize(matrix: Tensor) -> dict[str, float | None]:
    """Accuracy and macro F1 from a confusion matrix ``[true, predicted]``, see ``ClassCounts``."""
    counts = matrix.double()
    right, touched = counts.diag(), counts.sum(0) + counts.sum(1)
    f1 = (2 * right / touched)[touched > 0]
    return {"accuracy": (right.sum() / counts.sum()).item(), "macro_f1": f1.mean().item()}
