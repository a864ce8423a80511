"""The mean of a loss over a split."""

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanLoss(Metric):
    """Mean over pictures and processes. A loss that is not a number stays visible; the mean over none is no number.

    torchmetrics' ``MeanMetric`` leaves such values out or, told not to, its weights (1.9).
    """

    total: Tensor
    pictures: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("pictures", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, loss: Tensor, num_pictures: Tensor | int) -> None:
        """``loss`` is the scalar mean of a batch, of which so many pictures count."""
        self.total += loss * num_pictures
        self.pictures += num_pictures

    def compute(self) -> Tensor:
        return self.total / self.pictures
