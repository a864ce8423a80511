"""Windows of a picture at some size: that size, and the places of its windows in the file."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

LONGEST = 64
"""Largest ratio of the sides of a picture, which bounds the memory."""


class Grid(NamedTuple):
    """Square windows, one per step of ``stride`` pixels both ways.

    Examples:
        A picture of 300 x 400 pixels whose shorter side holds two windows: 448 x 597, and 597 is no multiple of 32.

        >>> grid = Grid(window=224, stride=32)
        >>> grid.level_size((300, 400), scale=2)
        (448, 608)
        >>> grid.counts((448, 608))
        (8, 13)
    """

    window: int  # side in pixels
    stride: int

    def level_size(self, size: Sequence[int], scale: float) -> tuple[int, int]:
        """(height, width) at which the shorter side of a picture holds ``scale`` windows.

        Both are multiples of the stride and hold one window at least, so the proportions change by up to half a stride.
        A picture with a larger ratio of its sides than ``LONGEST`` is squeezed.
        """
        factor, longest = scale * self.window / min(size), LONGEST * min(size)
        height, width = (
            max(self.window, round(min(side, longest) * factor / self.stride) * self.stride) for side in size
        )
        return height, width

    def counts(self, level: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of windows in a picture of this (height, width)."""
        rows, columns = ((side - self.window) // self.stride + 1 for side in level)
        return rows, columns

    def boxes(self, level: Sequence[int], size: Sequence[int]) -> Tensor:
        """``(rows, columns, 4)`` float32: x1, y1, x2, y2 of each window in pixels of the original picture.

        Args:
            level: resized (height, width) of the picture.
            size: original (height, width).
        """
        rows, columns = self.counts(level)
        y, x = size[0] / level[0], size[1] / level[1]
        top, left = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        corners = torch.stack([left, top, left, top], dim=-1).double() * self.stride
        corners[..., 2:] += self.window
        scaled: Tensor = corners * torch.tensor([x, y, x, y], dtype=torch.float64)
        return scaled.float()


def cover(probs: Tensor, cells: int) -> Tensor:
    """Probabilities of windows ``(C, rows, columns)`` to cells ``(C, rows + cells - 1, columns + cells - 1)``.

    A cell gets the weighted mean over all windows that may hold it; the weight falls linearly from 1 where the cell is
    in the middle of the window. Windows beyond the picture count as 0: otherwise a cell at the border would be as sure
    as the one window that holds it, and the highest cell would be a corner.

    Examples:
        >>> cover(torch.ones(1, 1, 1), cells=2).tolist()
        [[[0.25, 0.25], [0.25, 0.25]]]
    """
    middle = (cells - 1) / 2
    weights = 1 - (torch.arange(cells, dtype=probs.dtype, device=probs.device) - middle).abs() / (middle + 1)
    weights = weights / weights.sum()
    return F.conv_transpose2d(probs.unsqueeze(1), torch.outer(weights, weights)[None, None]).squeeze(1)
