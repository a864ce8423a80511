"""What curves say, of curves computed by hand or drawn by a seed."""

from collections.abc import Sequence

import numpy as np
import pytest

from lightning_seg.doctor.run.curves import (
    Curve,
    has_fallen,
    highest_jump,
    improves,
    is_rising_still,
    is_slow,
    overfit,
    relapse,
    settled,
    unsteadiness,
    worst_values,
)


def curve(*values: float) -> Curve:
    return Curve.of(dict(enumerate(values)))


def noisy(values: Sequence[float], deviation: float, seed: int) -> Curve:
    return curve(*(np.asarray(values) + np.random.default_rng(seed).normal(0, deviation, len(values))))


def test_noise_is_that_of_the_values_around_their_trend() -> None:
    measured = [noisy([5 - step / 8 for step in range(40)], 0.1, seed).noise for seed in range(50)]
    assert np.mean(measured) == pytest.approx(0.1, rel=0.1)
    assert curve(5, 4, 3, 2, 1).noise == 0
    assert curve(1, 1, 1, 9, 9, 9, 9, 9).noise == 0


def test_values_that_are_no_numbers_are_left_out_and_named_with_their_epoch() -> None:
    found = Curve.of({0: 1.0, 1: float("nan"), 3: 0.5})
    assert found == Curve((1, 4), (1.0, 0.5))
    curves = {"train/loss": {0: 1.0, 1: float("nan"), 2: float("inf")}, "val/loss": {0: 1.0}}
    assert worst_values(curves, ("train/loss", "val/loss", "other")) == [("train/loss", 2)]


def test_noise_alone_is_no_fall_and_a_fall_is_found_in_noise() -> None:
    flat = [noisy([1.6] * 12, 0.03, seed) for seed in range(200)]
    assert sum(map(has_fallen, flat)) <= 10
    falling = [noisy([1.6 - step * 0.036 for step in range(12)], 0.03, seed) for seed in range(200)]
    assert sum(map(has_fallen, falling)) >= 195


def test_the_bend_of_a_short_curve_that_falls_fast_is_no_noise() -> None:
    # Three epochs of a U-Net on 64 photos of cars.
    assert has_fallen(curve(0.8909, 0.3127, 0.245))
    assert improves(curve(0.667, 0.816, 0.829))


def test_a_loss_that_is_as_high_as_at_the_beginning_again_has_relapsed() -> None:
    found = relapse(curve(1.6, 1.0, 0.7, 0.6, 1.5, 1.6, 1.61, 1.6))
    assert found is not None
    assert found.epoch == 4
    assert (found.lowest, found.last) == pytest.approx((0.6, 1.605))
    assert relapse(curve(1.6, 1.0, 0.7, 0.6, 0.9, 0.8, 0.7, 0.7)) is None
    assert relapse(curve(1.0, 2.0, 3.0, 4.0)) is not None
    assert relapse(curve(1.0, 1.01, 0.99, 1.0)) is None


def test_the_highest_jump_is_found_and_small_ones_near_zero_are_none() -> None:
    found = highest_jump(curve(1.0, 0.8, 0.7, 0.6, 1.4, 0.6, 0.5, 0.45, 0.4, 0.38))
    assert found == (5, 0.6, 1.4)
    assert highest_jump(curve(1.0, 0.1, 0.01, 0.002, 0.02, 0.003, 0.002)) is None


def test_a_loss_is_unsteady_if_its_second_half_goes_up_and_down() -> None:
    share = unsteadiness(curve(2, 1.5, 1.2, 1, 1.5, 0.8, 1.6, 0.9))
    assert share is not None
    assert share > 1 / 6
    assert unsteadiness(curve(2, 1.5, 1.2, 1, 0.9, 0.85, 0.8, 0.78)) is None


def test_a_network_overfits_since_the_lowest_loss_of_validation() -> None:
    train = curve(1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05)
    found = overfit(train, curve(1.1, 0.9, 0.8, 0.8, 0.9, 1.0, 1.2, 1.3))
    assert found is not None
    # The end is the median of the last quarter.
    assert found.since == 3
    assert (found.lowest, found.last) == pytest.approx((0.8, 1.25))
    assert (found.gap_then, found.gap_now) == pytest.approx((0.2, 1.25 - 0.075))
    assert overfit(train, curve(1.1, 0.9, 0.8, 0.75, 0.74, 0.75, 0.76, 0.76)) is None


def test_losses_that_rise_together_are_no_overfitting() -> None:
    rising = curve(1.0, 0.8, 0.6, 0.6, 0.8, 1.0, 1.2, 1.3)
    assert overfit(rising, rising) is None


def test_a_score_has_settled_at_the_first_epoch_that_is_as_good_as_the_best() -> None:
    assert settled(curve(0.1, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6)) == 3
    assert settled(curve(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)) == 6


def test_improvement_is_more_than_the_noise() -> None:
    assert improves(curve(0.2, 0.21, 0.4, 0.5, 0.5))
    assert not improves(curve(0.2, 0.19, 0.21, 0.2, 0.205))


def test_a_score_that_rises_to_the_end_is_rising_still() -> None:
    assert is_rising_still(curve(*np.linspace(0.1, 0.8, 10)))
    assert not is_rising_still(curve(0.1, 0.5, 0.7, 0.75, 0.76, 0.76, 0.76, 0.76))


def test_a_loss_along_a_flat_line_is_slow_and_one_that_levels_off_is_not() -> None:
    assert is_slow(curve(*np.linspace(1.6, 1.45, 9)))
    assert not is_slow(curve(1.6, 1.5, 1.45, 1.42, 1.41, 1.40, 1.398, 1.397, 1.396))
    assert not is_slow(curve(*np.linspace(1.6, 0.2, 9)))
