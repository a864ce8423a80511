"""Precision and recall of two classes over the threshold."""

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.counting import count_cells
from lightning_seg.metrics.parts import MetricPart, Values

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


class ThresholdCounts(MetricPart):
    """``average_precision`` and ``best_threshold``: counts pixels by probability and truth, for every threshold.

    torchmetrics' ``BinaryPrecisionRecallCurve`` compares every pixel with every threshold.

    Examples:
        From 0.625 on, the car alone is foreground; the middle of these thresholds is the best one.

        >>> counts = ThresholdCounts(num_thresholds=8)
        >>> truth, probability = torch.tensor([[[0, 0, 1]]]), torch.tensor([[[0.25, 0.5, 0.875]]])
        >>> counts.update(truth, truth, probability)
        >>> counts.compute()
        {'average_precision': 1.0, 'best_threshold': 0.75}
    """

    counts: Tensor
    curves: ThresholdCurves | None
    """Precision and recall of the last epoch; None without a pixel that counts."""

    def __init__(self, ignore_index: int = IGNORE_INDEX, num_thresholds: int = NUM_THRESHOLDS) -> None:
        super().__init__()
        self.ignored_label, self.num_thresholds, self.curves = ignore_index, num_thresholds, None
        self.add_state("counts", torch.zeros(2, num_thresholds, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, mask: Tensor, foreground: Tensor | None = None) -> None:
        """Masks ``(B, H, W)`` of 0 and 1, and probabilities of 1 ``(B, H, W)`` in [0, 1]; nothing is known without."""
        if foreground is None:
            return
        ignored = 2 * self.num_thresholds
        steps = (foreground.float() * self.num_thresholds).long().clamp(0, self.num_thresholds - 1)
        cells = (mask * self.num_thresholds + steps).masked_fill(mask == self.ignored_label, ignored)
        self.counts += count_cells(cells, ignored + 1)[:ignored].view(2, -1)

    def compute(self, class_names: Sequence[str] = ()) -> Values:
        curves = self.by_threshold()
        self.curves = None if curves.is_empty else curves
        return super().compute(class_names)

    def values(self, class_names: Sequence[str]) -> Values:
        curves = self.by_threshold()
        return {
            "average_precision": nan if curves.is_empty else curves.average_precision,
            "best_threshold": nan if curves.is_empty else curves.best_threshold,
        }

    def by_threshold(self) -> ThresholdCurves:
        """Precision and recall of what is counted here."""
        # Called foreground at a threshold is what lies in its cell or in any above it.
        false, true = self.counts.cpu().double().flip(1).cumsum(1).flip(1)
        called = false + true
        precision = torch.where(called > 0, true / called.clamp(min=1), 1.0)
        recall = true / true[0].clamp(min=1)
        return ThresholdCurves(torch.arange(self.num_thresholds) / self.num_thresholds, precision, recall)
