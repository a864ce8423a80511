"""One number for each picture, for paired comparisons of models."""

import torch
from torch import Tensor

from lightning_seg.batch import IGNORE_INDEX


class PictureScores:
    """Scores ``(B,)`` of pictures, kept in their order until they are taken.

    Args:
        quantity: name of the score; higher is better.
    """

    def __init__(self, quantity: str) -> None:
        self.quantity = quantity
        self._kept: list[Tensor] = []

    def add(self, scores: Tensor) -> None:
        self._kept.append(scores)

    def take(self) -> list[float]:
        """The scores of all pictures since the last call."""
        kept, self._kept = self._kept, []
        return [score for scores in kept for score in scores.tolist()]


def mean_picture_iou(prediction: Tensor, mask: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """The mean IoU of each picture over the classes of its mask; NaN if the mask holds none.

    Args:
        prediction: ``(B, H, W)`` class indices.
        mask: likewise; ignored pixels belong to no class, neither here nor in the prediction.
        num_classes: of both.
    """
    counted = mask != ignore_index
    shares = []
    for index in range(num_classes):
        predicted, true = (prediction == index) & counted, mask == index
        share = (predicted & true).sum(dim=(1, 2)) / (predicted | true).sum(dim=(1, 2))
        shares.append(share.where(true.any(dim=2).any(dim=1), torch.nan))
    return torch.stack(shares).nanmean(dim=0)


def foreground_dice(prediction: Tensor, mask: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """Dice of class 1 in each picture ``(B, H, W)``; 1 if it is neither true nor predicted."""
    predicted, true = (prediction == 1) & (mask != ignore_index), mask == 1
    shared, both = (predicted & true).sum(dim=(1, 2)), predicted.sum(dim=(1, 2)) + true.sum(dim=(1, 2))
    return (2 * shared / both).where(both > 0, 1.0)
