"""Differences between splits, by numbers alone."""

import numpy as np
import pytest

from lightning_seg.doctor.dataset.shifts import Sample, find_shifts

CLASSES = ("cup", "jug", "pot")


def sample(brightness: list[float] | np.ndarray, labels: list[int] | np.ndarray | None = None) -> Sample:
    known = None if labels is None else np.array(labels, np.int64)
    return Sample({"brightness": np.array(brightness, np.float64)}, known)


def test_what_was_divided_by_chance_hardly_ever_differs() -> None:
    """200 datasets of 240 pictures, each divided at random."""
    generator = np.random.default_rng(0)
    alarms = 0
    for _ in range(200):
        values, labels = generator.normal(0.5, 0.2, 240), generator.choice(3, 240, p=[0.7, 0.2, 0.1])
        parts = [sample(values[chosen], labels[chosen]) for chosen in np.split(generator.permutation(240), [40, 80])]
        alarms += bool(find_shifts(parts[2], {"val": parts[0], "test": parts[1]}, CLASSES))
    assert alarms / 200 < 0.05


def test_numbers_that_do_not_overlap_differ_wholly() -> None:
    train, dark = sample(np.linspace(0.6, 0.8, 30)), sample(np.linspace(0.1, 0.3, 20))
    (shift,) = find_shifts(train, {"test": dark}, CLASSES)
    assert (shift.split, shift.quantity, shift.trained, shift.other) == ("test", "brightness", "0.7", "0.2")
    assert shift.effect == 1.0
    # The chance that the 20 lowest of 50 values, or the 20 highest, are those of one split.
    assert shift.p_value == pytest.approx(2 / 47129212243960)


def test_classes_are_compared_by_their_shares() -> None:
    train = sample([0.5] * 200, [0] * 100 + [1] * 100)
    other = sample([0.5] * 100, [0] * 80 + [1] * 20)
    (shift,) = find_shifts(train, {"val": other}, CLASSES)
    assert (shift.quantity, shift.trained, shift.other) == ("classes", "50% cup", "80% cup")
    assert shift.effect == pytest.approx(0.3)
    # Expected 120, 80 and 60, 40: differences of 20, less 0.5 as Yates corrects.
    assert shift.p_value == pytest.approx(chi_square_tail(19.5**2 * (1 / 120 + 1 / 80 + 1 / 60 + 1 / 40)))


def chi_square_tail(value: float) -> float:
    """With one degree of freedom, by the normal distribution."""
    from math import erfc, sqrt

    return erfc(sqrt(value / 2))


def test_a_small_difference_is_not_told_however_sure_it_is() -> None:
    train, other = (sample(np.arange(20_000) / 20_000 + shifted) for shifted in (0.0, 0.1))
    assert find_shifts(train, {"test": other}, CLASSES) == []
    assert find_shifts(train, {"test": sample(np.arange(20_000) / 20_000 + 0.2)}, CLASSES)


def test_rare_classes_are_counted_together() -> None:
    train = sample([0.5] * 200, [0] * 190 + [1] * 5 + [2] * 5)
    other = sample([0.5] * 100, [0] * 95 + [2] * 5)
    assert find_shifts(train, {"test": other}, CLASSES) == []


def test_unknown_values_are_left_out() -> None:
    train, other = sample([0.5] * 30 + [float("nan")] * 30), sample([float("nan")] * 40)
    assert find_shifts(train, {"test": other}, CLASSES) == []
