"""The worst pictures so far, small enough to be kept on the device: a step waits for nothing."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.metrics.picture_scores import Told

SIDE = 256
"""Longest side in pixels."""
TIE = 1e-6
"""What a loss of 1 is worth beside a score: it decides between equal ones."""


class Worst(NamedTuple):
    """A picture; masks follow it, true and predicted, where it has some."""

    badness: float
    position: int  # among the pictures of this process
    panels: Tensor  # (1 or 3, 3, h, w) uint8: the picture, and masks, whose first channel holds class indices


class WorstPictures:
    """Keeps the worst ones of what it is shown.

    Args:
        number: of pictures.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self._kept: tuple[Tensor, ...] = ()

    def add(self, told: Told, images: Tensor, first: int) -> None:
        """A batch.

        Args:
            told: of its pictures.
            images: ``(B, 3, H, W)`` uint8 RGB.
            first: position of its first picture.
        """
        badness = badness_of(told)
        if badness is None or not self.number:
            return
        highest, chosen = badness.to(images.device).topk(min(self.number, len(badness)))
        panels, size = _thumbnails([images, *(told.masks or ())], chosen)
        # Filled there: numbers from the host would have to be waited for.
        sizes = torch.stack([torch.full_like(chosen, side) for side in size], dim=1)
        fresh = highest, chosen + first, panels, sizes
        kept = [torch.cat(both) for both in zip(self._kept, fresh, strict=True)] if self._kept else fresh
        order = kept[0].topk(min(self.number, len(kept[0]))).indices
        self._kept = tuple(values[order] for values in kept)

    def take(self) -> list[Worst]:
        """Mistakes alone, the worst first."""
        kept, self._kept = [values.cpu() for values in self._kept], ()
        return [
            Worst(badness, position, panels[..., :height, :width].clone())
            for badness, position, panels, (height, width) in zip(*(_listed(values) for values in kept), strict=True)
            if badness > 0
        ]


def _listed(values: Tensor) -> Sequence[object]:
    return values.tolist() if values.ndim < 3 else list(values)


def badness_of(told: Told) -> Tensor | None:
    """How bad pictures are ``(B,)``, 0 for those without a mistake; None where that is not known.

    Of wrong labels the probability of what was said, of masks what their score lacks.
    """
    likelihood = told.likelihood
    if told.truth is None or told.prediction is None:
        return None
    if told.truth.ndim == 1:
        sureness = torch.ones_like(told.scores) if likelihood is None else likelihood.probability
        return sureness.double().nan_to_num(TIE).clamp(min=TIE).where(told.truth != told.prediction, 0)
    if told.masks is None:
        return None
    lacks = (1 - told.scores.double()).nan_to_num(0).clamp(min=0)
    loss = torch.zeros_like(lacks) if likelihood is None else likelihood.loss.to(lacks).nan_to_num(0).clamp(0, 100)
    return (lacks + TIE * loss).where(lacks > 0, 0)


def _thumbnails(parts: Sequence[Tensor], chosen: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """Pictures and masks at one size, in the corner of squares ``(K, 1 or 3, 3, SIDE, SIDE)``, and that size."""
    height, width = parts[-1].shape[-2:]
    share = min(1.0, SIDE / max(height, width))
    size = max(1, round(height * share)), max(1, round(width * share))
    panels = [_resized(part.to(chosen.device)[chosen], size) for part in parts]
    return F.pad(torch.stack(panels, dim=1), (0, SIDE - size[1], 0, SIDE - size[0])), size


def _resized(part: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures ``(K, 3, H, W)`` by the mean of their pixels; masks ``(K, H, W)`` as they are, as three channels."""
    if part.ndim == 4:
        return F.interpolate(part.float(), size=size, mode="area").round().to(torch.uint8)
    nearest = F.interpolate(part.unsqueeze(1).float(), size=size, mode="nearest-exact")
    return nearest.to(torch.uint8).expand(-1, 3, -1, -1)
