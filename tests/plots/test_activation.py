"""Class activation maps over pictures."""

import numpy as np

from lightning_seg.plots.activation import draw_activation

GREY = np.full((40, 60, 3), 100, np.uint8)


def test_the_strongest_place_is_coloured_and_the_others_stay() -> None:
    activation = np.zeros((4, 6), np.float32)
    activation[1, 4] = 0.003
    drawn = np.asarray(draw_activation(GREY, activation))
    changed = (drawn != GREY).any(axis=2)
    # The cell covers rows 10 to 19 and columns 40 to 49; two cells away there is nothing of it.
    assert changed[10:20, 40:50].all()
    assert not changed[:, :20].any()
    assert not changed[32:].any()
    red, green, blue = drawn[14, 44].astype(int)
    # Yellow.
    assert min(red, green) > blue + 40


def test_a_map_without_anything_leaves_the_picture_as_it_is() -> None:
    np.testing.assert_array_equal(np.asarray(draw_activation(GREY, np.zeros((4, 6), np.float32))), GREY)


def test_only_the_ratio_of_values_counts() -> None:
    activation = np.arange(24, dtype=np.float32).reshape(4, 6)
    once, twice = (np.asarray(draw_activation(GREY, factor * activation)) for factor in (1, 1000))
    np.testing.assert_array_equal(once, twice)
