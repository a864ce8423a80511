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
    """
    parts = next((rows for rows in _partings(cells) if 0 < rows * num_cells <= cells.numel()), 1)
    rows = cells.reshape(parts, -1)
    counts = torch.zeros(parts, num_cells, dtype=torch.int64, device=cells.device)
    return counts.scatter_add_(1, rows, torch.ones_like(rows)).sum(dim=0)


def _partings(cells: Tensor) -> tuple[int, ...]:
    """Numbers of equal parts to divide it into, the largest first."""
    return tuple(prod(cells.shape[:dimensions]) for dimensions in range(cells.ndim - 1, 0, -1))
