"""What is a box, by hand."""

import numpy as np
import pytest

from lightning_seg.datasets.box_sides import as_sides, is_flat


@pytest.mark.parametrize("side", [float("nan"), float("inf"), -1e300, 1e39, 2.0**24 + 2])
def test_sides_where_no_picture_has_pixels(side: float) -> None:
    for place in range(4):
        box = [0.0, 0.0, 5.0, 5.0]
        box[place] = side
        assert as_sides(box) is None


def test_sides_are_counted_as_float32() -> None:
    sides = as_sides([-3, 0.5, 2**24, 7])
    assert sides is not None
    assert sides.dtype == np.float32
    assert sides.tolist() == [-3, 0.5, 2**24, 7]


@pytest.mark.parametrize(
    ("box", "flat"),
    [([0, 0, 1, 1], False), ([0, 0, 0, 1], True), ([0, 1, 1, 0.5], True), ([1e6, 0, 1e6 + 1e-3, 1], True)],
)
def test_what_has_no_width_or_height_is_flat(box: list[float], flat: bool) -> None:
    sides = as_sides(box)
    assert sides is not None
    assert is_flat(sides) is flat
