"""The mean of a loss over a split."""

from math import nan

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanLoss(Metric):
    """Mean of a loss over everything that counts in a split, and over processes. A loss that is not a number stays
    visible.

    It adds sums and weights, not means of batches, so it does not depend on the batches. torchmetrics' ``MeanMetric``
    leaves out values that are no numbers, or otherwise its weights (1.9).
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
        """``total / weight`` is the mean of a batch with this number of pictures, and of pictures that count."""
        self.total += total
        self.weight += weight
        self.counted += num_counted
        self.pictures += num_pictures

    def compute(self) -> float | None:
        """The mean; NaN if no picture counts, None if no process has had any."""
        if not self.pictures:
            return None
        if not self.counted:
            return nan
        return (self.total / torch.where(self.weight > 0, self.weight, 1)).item()
