"""Probabilities of a large picture, a few rows at a time, as ``inference/bands.py`` has them of tensors."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from lightning_seg.serving.views import Probs

ROWS = 256


class Band(NamedTuple):
    """Rows ``top`` to ``top + rows`` of a picture."""

    top: int
    probs: Probs  # (C, rows, W)


def resized_bands(probs: Probs, size: Sequence[int], rows: int = ROWS) -> Iterator[Band]:
    """Probabilities ``(C, h, w)`` resized bilinearly, from the top down."""
    height, width = size
    wide = probs
    if width != probs.shape[2]:
        # OpenCV's linear is by pixel centres, without averaging, as that of F.interpolate.
        resized = [cv2.resize(one, (width, probs.shape[1]), interpolation=cv2.INTER_LINEAR) for one in probs]
        wide = np.stack(resized)
    for top in range(0, height, rows):
        yield Band(top, _resized_rows(wide, height, top, min(top + rows, height)))


def _resized_rows(probs: Probs, height: int, top: int, end: int) -> Probs:
    source = probs.shape[1]
    if source == height:
        return probs[:, top:end]
    # Pixel centres; beyond the outer ones the value stays.
    position = (np.arange(top, end) + 0.5) * (source / height) - 0.5
    position = np.clip(position, 0, source - 1).astype(np.float32)
    above = position.astype(np.int64)
    below = np.minimum(above + 1, source - 1)
    rows = probs[:, below]
    upper = probs[:, above]
    rows -= upper
    rows *= (position - above).astype(np.float32).reshape(1, -1, 1)
    rows += upper
    return rows
