"""The mean of a loss over a split."""

from math import nan

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanLoss(Metric):
    """Mean over what counts in a split, and over processes. A loss that is not a number stays visible.

    Of sums and weights and not of the means of batches, so it is the same however pictures are batched. torchmetrics'
    ``MeanMetric`` leaves values that are none out or, told not to, its weights (1.9).
    """

    total: Tensor
    weight: Tensor
    pictures: Tensor
    counted: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "weight", "pictures", "counted"):
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum")

    def update(self, total: Tensor, weight: Tensor, num_pictures: int, num_counted: Tensor | int) -> None:
        """``total / weight`` is the scalar mean of a batch of so many pictures, and so many of them that count."""
        self.total += total
        self.weight += weight
        self.counted += num_counted
        self.pictures += num_pictures

    def compute(self) -> float | None:
        """The mean; no number where no picture counts, None where no process has had any."""
        if not self.pictures:
            return None
        if not self.counted:
            return nan
        return (self.total / torch.where(self.weight > 0, self.weight, 1)).item()
