"""Large pictures in overlapping tiles, as ``inference/tiles.py`` has them of tensors."""

from collections.abc import Iterator

import numpy as np

from lightning_seg.images import Array
from lightning_seg.inference.axis import Axis
from lightning_seg.serving.bands import Band
from lightning_seg.serving.views import Model, Probs


def tiled_bands(model: Model, image: Array, tile: int, overlap: int, batch: int = 4) -> Iterator[Band]:
    """Probabilities of a picture ``(H, W, 3)`` uint8, tile by tile, one band per row of tiles.

    Memory grows with the width of one row of tiles and not with the height of the picture.

    Args:
        model: maps ``(B, tile, tile, 3)`` uint8 to probabilities ``(B, C, tile, tile)``.
        image: the picture at its original size.
        tile: side of a tile in pixels.
        overlap: pixels that neighbouring tiles share, less than ``tile``.
        batch: tiles given to the model at once.
    """
    rows, columns = (Axis(length, tile, overlap) for length in image.shape[:2])
    pending: Probs | None = None
    for index, start in enumerate(rows.starts):
        blended = _blended_row(model, image[rows.positions(start)], columns, batch)
        blended *= rows.weights[index].reshape(1, -1, 1)
        if pending is not None:
            blended[:, : pending.shape[1]] += pending
        is_last = index == len(rows.starts) - 1
        # What the next row of tiles does not touch is finished.
        finished = tile if is_last else rows.stride
        first, last = rows.inside(start)
        last = min(last, finished)
        if first < last:
            yield Band(start + first, blended[:, first:last])
        pending = blended[:, rows.stride :]


def _blended_row(model: Model, strip: Array, columns: Axis, batch: int) -> Probs:
    """Probabilities ``(C, tile, W)`` of a strip ``(tile, W, 3)``, blended from left to right."""
    blended: Probs | None = None
    numbers = range(len(columns.starts))
    for group in (numbers[first : first + batch] for first in range(0, len(numbers), batch)):
        tiles = np.stack([strip[:, columns.positions(columns.starts[number])] for number in group])
        answers = model(tiles)
        if blended is None:
            blended = np.zeros((answers.shape[1], strip.shape[0], columns.length), np.float32)
        for number, probs in zip(group, answers, strict=True):
            start, (first, last) = columns.starts[number], columns.inside(columns.starts[number])
            weight = columns.weights[number][first:last]
            blended[:, :, start + first : start + last] += probs[:, :, first:last] * weight
    assert blended is not None
    return blended
