"""What is known of each picture: a score for paired comparisons of models, what is true, predicted and how likely."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.likelihood import Likelihood


class Told(NamedTuple):
    """What a part of the metrics tells of the pictures of a batch; classes are None where it does not know them."""

    scores: Tensor  # (B,), NaN where nothing counts
    truth: Tensor | None = None  # (B,) int64 class indices, or (B, C) bool: the classes that occur
    prediction: Tensor | None = None  # likewise
    likelihood: Likelihood | None = None


class PictureRow(NamedTuple):
    """One picture; NaN and empty where there is nothing to tell."""

    score: float
    truth: tuple[int, ...] = ()
    prediction: tuple[int, ...] = ()
    probability: float = torch.nan
    loss: float = torch.nan


class PictureScores:
    """What is told of pictures, kept on the device in their order until it is taken: a step waits for nothing.

    Args:
        quantity: name of the score; higher is better.
    """

    def __init__(self, quantity: str) -> None:
        self.quantity = quantity
        self._kept: list[Told] = []

    def __len__(self) -> int:
        """The number of pictures since ``take``."""
        return sum(len(told.scores) for told in self._kept)

    def add(self, told: Told) -> None:
        self._kept.append(told)

    def take(self) -> list[PictureRow]:
        """All pictures since the last call."""
        kept, self._kept = self._kept, []
        return [row for told in kept for row in _rows(told)]


def _rows(told: Told) -> Iterator[PictureRow]:
    known = told.likelihood
    nothing = torch.full_like(told.scores, torch.nan)
    numbers = (nothing, nothing) if known is None else (known.probability, known.loss)
    return map(
        PictureRow,
        told.scores.tolist(),
        _classes(told.truth, len(nothing)),
        _classes(told.prediction, len(nothing)),
        *(values.tolist() for values in numbers),
    )


def _classes(told: Tensor | None, number: int) -> Sequence[tuple[int, ...]]:
    if told is None:
        return [()] * number
    if told.ndim == 1:
        return [(index,) for index in told.tolist()]
    return [tuple(row.nonzero().flatten().tolist()) for row in told.cpu()]


def classes_in(mask: Tensor, num_classes: int, counted: Tensor) -> Tensor:
    """The classes ``(B, C)`` bool that occur in masks ``(B, H, W)`` where pixels are ``counted``."""
    cells = mask.masked_fill(~counted, num_classes).flatten(1)
    found = torch.zeros(len(mask), num_classes + 1, dtype=torch.bool, device=mask.device)
    return found.scatter_(1, cells, True)[:, :num_classes]


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
