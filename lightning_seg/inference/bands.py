"""Probabilities of a large picture, a few rows at a time, so that they are never in memory as a whole."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

ROWS = 256


class Band(NamedTuple):
    """Rows ``top`` to ``top + rows`` of a picture."""

    top: int
    probs: Tensor  # (C, rows, W) float


def resized_bands(probs: Tensor, size: Sequence[int], rows: int = ROWS) -> Iterator[Band]:
    """Probabilities ``(C, h, w)`` resized bilinearly as by ``F.interpolate``, from the top down."""
    height, width = size
    wide = probs.float()
    if width != wide.shape[2]:
        wide = F.interpolate(wide.unsqueeze(0), size=(wide.shape[1], width), mode="bilinear", align_corners=False)[0]
    for top in range(0, height, rows):
        yield Band(top, _resized_rows(wide, height, top, min(top + rows, height)))


def _resized_rows(probs: Tensor, height: int, top: int, end: int) -> Tensor:
    source = probs.shape[1]
    if source == height:
        return probs[:, top:end]
    # Pixel centres; beyond the outer ones the value stays.
    position = (torch.arange(top, end, device=probs.device) + 0.5) * (source / height) - 0.5
    position = position.clamp(0, source - 1)
    above = position.floor().long()
    below = (above + 1).clamp(max=source - 1)
    share = (position - above).view(1, -1, 1)
    return torch.lerp(probs[:, above], probs[:, below], share)
