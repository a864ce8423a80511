"""Large pictures in overlapping tiles with mirrored borders and blended seams; see ``axis.py``."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lightning_seg.inference.axis import Axis
from lightning_seg.inference.bands import Band
from lightning_seg.inference.views import Model


def tiled_bands(model: Model, image: Tensor, tile: int, overlap: int, batch: int = 4) -> Iterator[Band]:
    """Probabilities of a picture ``(3, H, W)`` uint8, tile by tile, one band per row of tiles.

    Memory grows with the width of one row of tiles and not with the height of the picture.

    Args:
        model: maps ``(B, 3, tile, tile)`` uint8 to probabilities ``(B, C, tile, tile)``.
        image: the picture at its original size.
        tile: side of a tile in pixels.
        overlap: pixels that neighbouring tiles share, less than ``tile``.
        batch: tiles given to the model at once.

    Examples:
        A model that answers with the picture: blended, it is the picture again.

        >>> image = torch.arange(48, dtype=torch.uint8).view(3, 4, 4)
        >>> bands = list(tiled_bands(lambda tiles: tiles.float(), image, tile=4, overlap=2))
        >>> torch.cat([band.probs for band in bands], dim=1).round().equal(image.float())
        True
    """
    rows, columns = (Axis(length, tile, overlap) for length in image.shape[1:])
    pending: Tensor | None = None
    for index, start in enumerate(rows.starts):
        blended = _blended_row(model, image[:, torch.from_numpy(rows.positions(start))], columns, batch)
        blended *= torch.from_numpy(rows.weights[index]).to(blended).view(1, -1, 1)
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


def _blended_row(model: Model, strip: Tensor, columns: Axis, batch: int) -> Tensor:
    """Probabilities ``(C, tile, W)`` of a strip ``(3, tile, W)``, blended from left to right."""
    blended: Tensor | None = None
    numbers = range(len(columns.starts))
    for group in (numbers[first : first + batch] for first in range(0, len(numbers), batch)):
        shown = (torch.from_numpy(columns.positions(columns.starts[number])) for number in group)
        tiles = torch.stack([strip[:, :, positions] for positions in shown])
        answers = model(tiles.contiguous(memory_format=torch.channels_last)).float()
        if blended is None:
            blended = answers.new_zeros(answers.shape[1], strip.shape[1], columns.length)
        for number, probs in zip(group, answers, strict=True):
            start, (first, last) = columns.starts[number], columns.inside(columns.starts[number])
            weight = torch.from_numpy(columns.weights[number]).to(probs)[first:last]
            blended[:, :, start + first : start + last] += probs[:, :, first:last] * weight
    assert blended is not None
    return blended
