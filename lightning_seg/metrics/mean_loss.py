"""The mean of a loss over a split."""

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

    def __init__(self) -> None:
        super().__init__()
        for name in ("total", "weight", "pictures"):
            self.add_state(name, torch.zeros(()), dist_reduce_fx="sum")

    def update(self, total: Tensor, weight: Tensor, num_pictures: int) -> None:
        """``total / weight`` is the scalar mean of a batch."""
        self.total += total
        self.weight += weight
        self.pictures += num_pictures

    def compute(self) -> float | None:
        """The mean, 0 where nothing of the pictures counts, None where no process has had any."""
        if not self.pictures:
            return None
        return (self.total / torch.where(self.weight > 0, self.weight, 1)).item()
