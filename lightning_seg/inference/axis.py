"""The tiles along one side of a large picture, mirrored at its borders and blended; without torch.

Source: the overlap-tile strategy of Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image
Segmentation", 2015. The paper cuts the valid middle out of every tile; here neighbours are blended.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray


class Axis:
    """The tiles along one side of a picture.

    Neighbours share ``overlap`` pixels. The outermost quarter of the shared pixels has no weight, since a network sees
    least there; the weight rises linearly from it to the innermost quarter. Tiles start half an overlap outside of the
    picture, so every pixel is seen with its surroundings, mirrored beyond the border.

    Examples:
        Tiles of 4 pixels that share 2, along 8: they start one pixel before it, which is mirrored.

        >>> axis = Axis(8, tile=4, overlap=2)
        >>> axis.starts
        [-1, 1, 3, 5]
        >>> axis.positions(-1).tolist(), axis.inside(-1)
        ([1, 0, 1, 2], (1, 4))
    """

    def __init__(self, length: int, tile: int, overlap: int) -> None:
        self.length, self.tile, self.stride = length, tile, tile - overlap
        margin = overlap // 2
        count = max(1, ceil((length + 2 * margin - tile) / self.stride) + 1)
        self.starts = [index * self.stride - margin for index in range(count)]
        self.weights = self._normalized(_ramp(tile, overlap))

    def positions(self, start: int) -> NDArray[np.int64]:
        """The pixels ``(tile,)`` that a tile shows, mirrored at the borders without repeating them."""
        outside = np.arange(start, start + self.tile)
        if self.length == 1:
            return np.zeros_like(outside)
        period = 2 * (self.length - 1)
        folded = outside % period
        return np.minimum(folded, period - folded)

    def inside(self, start: int) -> tuple[int, int]:
        """The part of a tile inside the picture."""
        return max(0, -start), min(self.tile, self.length - start)

    def _normalized(self, ramp: NDArray[np.float64]) -> list[NDArray[np.float32]]:
        """A weight ``(tile,)`` per tile, adding up to one at every pixel of the picture."""
        total = np.zeros(self.length)
        for start in self.starts:
            first, last = self.inside(start)
            total[start + first : start + last] += ramp[first:last]
        weights = []
        for start in self.starts:
            first, last = self.inside(start)
            weight = np.zeros_like(ramp)
            weight[first:last] = ramp[first:last] / total[start + first : start + last]
            weights.append(weight.astype(np.float32))
        return weights


def _ramp(tile: int, overlap: int) -> NDArray[np.float64]:
    unused = overlap // 4
    from_edge = np.arange(tile) + 0.5
    from_edge = np.minimum(from_edge, tile - from_edge)
    if not overlap:
        return np.ones_like(from_edge)
    ramp: NDArray[np.float64] = np.clip((from_edge - unused) / (overlap - 2 * unused), 0, 1)
    return ramp
