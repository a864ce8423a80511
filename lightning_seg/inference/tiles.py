"""Large pictures in overlapping tiles with mirrored borders and blended seams.

Source: the overlap-tile strategy of Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015. The paper cuts the valid middle out of every tile; here neighbours are blended.
"""

from collections.abc import Iterator
from math import ceil

import torch
from torch import Tensor

from lightning_seg.inference.bands import Band
from lightning_seg.inference.views import Model


class Axis:
    """The tiles along one side of a picture.

    Neighbours share ``overlap`` pixels. The outermost quarter of the shared pixels has no weight, since a network sees
    least there; the weight rises linearly from it to the innermost quarter. Tiles start half an overlap outside of the
    picture, so every pixel is seen with its surroundings, mirrored beyond the border.
    """

    def __init__(self, length: int, tile: int, overlap: int) -> None:
        self.length, self.tile, self.stride = length, tile, tile - overlap
        margin = overlap // 2
        count = max(1, ceil((length + 2 * margin - tile) / self.stride) + 1)
        self.starts = [index * self.stride - margin for index in range(count)]
        self.weights = self._normalized(_ramp(tile, overlap))

    def positions(self, start: int) -> Tensor:
        """The pixels ``(tile,)`` that a tile shows, mirrored at the borders without repeating them."""
        outside = torch.arange(start, start + self.tile)
        if self.length == 1:
            return torch.zeros_like(outside)
        period = 2 * (self.length - 1)
        folded = outside.remainder(period)
        return torch.minimum(folded, period - folded)

    def inside(self, start: int) -> tuple[int, int]:
        """The part of a tile inside the picture."""
        return max(0, -start), min(self.tile, self.length - start)

    def _normalized(self, ramp: Tensor) -> list[Tensor]:
        """A weight ``(tile,)`` per tile, adding up to one at every pixel of the picture."""
        total = torch.zeros(self.length, dtype=ramp.dtype)
        for start in self.starts:
            first, last = self.inside(start)
            total[start + first : start + last] += ramp[first:last]
        weights = []
        for start in self.starts:
            first, last = self.inside(start)
            weight = torch.zeros_like(ramp)
            weight[first:last] = ramp[first:last] / total[start + first : start + last]
            weights.append(weight.float())
        return weights


def _ramp(tile: int, overlap: int) -> Tensor:
    unused = overlap // 4
    from_edge = torch.arange(tile, dtype=torch.float64) + 0.5
    from_edge = torch.minimum(from_edge, tile - from_edge)
    if not overlap:
        return torch.ones_like(from_edge)
    return ((from_edge - unused) / (overlap - 2 * unused)).clamp(0, 1)


def tiled_bands(model: Model, image: Tensor, tile: int, overlap: int, batch: int = 4) -> Iterator[Band]:
    """Probabilities of a picture ``(3, H, W)`` uint8, tile by tile, one band per row of tiles.

    Memory grows with the width of one row of tiles and not with the height of the picture.

    Args:
        model: maps ``(B, 3, tile, tile)`` uint8 to probabilities ``(B, C, tile, tile)``.
        image: the picture at its original size.
        tile: side of a tile in pixels.
        overlap: pixels that neighbouring tiles share, less than ``tile``.
        batch: tiles given to the model at once.
    """
    rows, columns = (Axis(length, tile, overlap) for length in image.shape[1:])
    pending: Tensor | None = None
    for index, start in enumerate(rows.starts):
        blended = _blended_row(model, image[:, rows.positions(start)], columns, batch)
        blended *= rows.weights[index].to(blended).view(1, -1, 1)
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
        tiles = torch.stack([strip[:, :, columns.positions(columns.starts[number])] for number in group])
        answers = model(tiles.contiguous(memory_format=torch.channels_last)).float()
        if blended is None:
            blended = answers.new_zeros(answers.shape[1], strip.shape[1], columns.length)
        for number, probs in zip(group, answers, strict=True):
            start, (first, last) = columns.starts[number], columns.inside(columns.starts[number])
            weight = columns.weights[number].to(probs)[first:last]
            blended[:, :, start + first : start + last] += probs[:, :, first:last] * weight
    assert blended is not None
    return blended
