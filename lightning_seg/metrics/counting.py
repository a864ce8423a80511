"""Counting on a device without waiting for it."""

from math import prod

import torch
from torch import Tensor


def count_cells(cells: Tensor, num_cells: int) -> Tensor:
    """How often each number occurs.

    ``bincount`` does the same, but on a CUDA device the host waits for the smallest and the largest number. Threads
    that add to one address wait for each other, so each row, or if that took more memory than the numbers each picture,
    is counted separately first.

    Args:
        cells: int64 in [0, ``num_cells``), of any shape; the first dimension is that of the pictures.
        num_cells: how many numbers there are.

    Returns:
        ``(num_cells,)`` int64.

    Examples:
        >>> count_cells(torch.tensor([[0, 2], [2, 2]]), 4).tolist()
        [1, 0, 3, 0]
    """
    return _added_up(cells, num_cells, torch.ones_like(cells))


def sum_cells(cells: Tensor, num_cells: int, values: Tensor) -> Tensor:
    """``(num_cells,)`` float64: the sums of ``values``, one for each number; see ``count_cells``.

    Examples:
        >>> sum_cells(torch.tensor([0, 1, 1]), 2, torch.tensor([0.5, 2.0, 3.0])).tolist()
        [0.5, 5.0]
    """
    return _added_up(cells, num_cells, values.float())


def _added_up(cells: Tensor, num_cells: int, values: Tensor) -> Tensor:
    parts = next((rows for rows in _partings(cells) if 0 < rows * num_cells <= cells.numel()), 1)
    # Rows are short enough for single precision, all of them together are not.
    exact = torch.float64 if values.is_floating_point() else values.dtype
    sums = torch.zeros(parts, num_cells, dtype=values.dtype, device=cells.device)
    return sums.scatter_add_(1, cells.reshape(parts, -1), values.reshape(parts, -1)).sum(dim=0, dtype=exact)


def _partings(cells: Tensor) -> tuple[int, ...]:
    """Numbers of equal parts to divide it into, the largest first."""
    return tuple(prod(cells.shape[:dimensions]) for dimensions in range(cells.ndim - 1, 0, -1))
