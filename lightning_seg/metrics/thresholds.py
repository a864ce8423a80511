"""Precision and recall of two classes over the threshold."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.counting import count_cells

NUM_THRESHOLDS = 1000


class ThresholdCurves(NamedTuple):
    """Values by threshold ``(T,)``; a pixel is foreground if its probability reaches the threshold."""

    thresholds: Tensor
    precision: Tensor  # 1 where nothing is called foreground
    recall: Tensor

    @property
    def is_empty(self) -> bool:
        """Whether no pixel was counted: any pixel is foreground at the lowest threshold."""
        return bool(self.precision[0] == 1 and self.recall[0] == 0)

    @property
    def dice(self) -> Tensor:
        """The harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / (self.precision + self.recall).clamp(min=1e-12)

    @property
    def best_threshold(self) -> float:
        """The threshold of the highest Dice; of several equal ones the middle."""
        best = torch.nonzero(self.dice == self.dice.max()).flatten()
        return float(self.thresholds[best[len(best) // 2]])

    @property
    def average_precision(self) -> float:
        """The area below precision over recall, as a sum of steps."""
        steps = self.recall - torch.cat([self.recall[1:], self.recall.new_zeros(1)])
        return float((steps * self.precision).sum())


class ThresholdCounts(Metric):
    """Counts pixels by probability and truth, from which every threshold can be evaluated.

    torchmetrics' ``BinaryPrecisionRecallCurve`` compares every pixel with every threshold.
    """

    counts: Tensor

    def __init__(self, ignore_index: int = IGNORE_INDEX, num_thresholds: int = NUM_THRESHOLDS) -> None:
        super().__init__()
        self.ignored_label, self.num_thresholds = ignore_index, num_thresholds
        self.add_state("counts", torch.zeros(2, num_thresholds, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, probs: Tensor, mask: Tensor) -> None:
        """Probabilities of the foreground ``(B, H, W)`` in [0, 1] and masks ``(B, H, W)`` of 0 and 1."""
        ignored = 2 * self.num_thresholds
        steps = (probs.float() * self.num_thresholds).long().clamp(0, self.num_thresholds - 1)
        cells = (mask * self.num_thresholds + steps).masked_fill(mask == self.ignored_label, ignored)
        self.counts += count_cells(cells, ignored + 1)[:ignored].view(2, -1)

    def compute(self) -> ThresholdCurves:
        # Called foreground at a threshold is what lies in its cell or in any above it.
        false, true = self.counts.cpu().double().flip(1).cumsum(1).flip(1)
        called = false + true
        precision = torch.where(called > 0, true / called.clamp(min=1), 1.0)
        recall = true / true[0].clamp(min=1)
        return ThresholdCurves(torch.arange(self.num_thresholds) / self.num_thresholds, precision, recall)
