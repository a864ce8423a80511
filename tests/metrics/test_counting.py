"""Counting without waiting, against a count by hand and numpy's."""

import numpy as np
import pytest
import torch

from lightning_seg.metrics.counting import count_cells


def test_a_small_picture_is_counted_as_by_hand() -> None:
    cells = torch.tensor([[[0, 0, 3], [1, 0, 3]]])
    assert count_cells(cells, 5).tolist() == [3, 1, 0, 2, 0]


@pytest.mark.parametrize(
    ("shape", "num_cells"),
    [((4, 6, 32), 10), ((4, 6, 32), 100), ((4, 6, 32), 5000), ((7,), 3), ((1,), 14400), ((0, 4, 4), 5)],
)
def test_rows_pictures_and_batches_are_counted_alike(shape: tuple[int, ...], num_cells: int) -> None:
    """Few numbers are counted row by row, more of them picture by picture, and the most all at once."""
    cells = torch.randint(0, num_cells, shape, generator=torch.Generator().manual_seed(0))
    expected = np.bincount(cells.numpy().ravel(), minlength=num_cells)
    assert np.array_equal(count_cells(cells, num_cells).numpy(), expected)


def test_pictures_may_lie_in_memory_in_any_order() -> None:
    cells = torch.arange(24).view(2, 3, 4).transpose(1, 2) % 5
    assert count_cells(cells, 5).tolist() == [5, 5, 5, 5, 4]
