"""Paired intervals against enumeration, scipy, and the share of true values that they hold."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from lightning_seg.comparison.intervals import Interval, paired_interval, verdict


def by_picture(values: list[float]) -> dict[str, float]:
    return {f"picture_{index}.jpg": value for index, value in enumerate(values)}


def test_one_seed_is_the_bootstrap_over_pictures() -> None:
    """All 256 ways to draw four pictures out of four."""
    values = [0.5, -0.25, 0.125, 1.0]
    means = np.sort([np.mean(drawn) for drawn in product(values, repeat=4)])
    # The cumulative shares at the bounds are not 0.025 and 0.975, so every large sample has these two quantiles.
    low, high = means[int(0.025 * 256)], means[int(0.975 * 256)]
    interval = paired_interval([by_picture(values)], num_draws=200_000)
    assert interval == pytest.approx((0.34375, low, high))


def test_one_seed_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).normal(0.1, 0.4, 50)
    other = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=2).confidence_interval
    interval = paired_interval([by_picture(values.tolist())], num_draws=20_000)
    assert [interval.low, interval.high] == pytest.approx([other.low, other.high], abs=0.005)


def test_differences_that_depend_on_the_seed_alone_are_a_t_interval() -> None:
    """Then pictures say nothing, and the paired t-test over seeds is exact."""
    by_seed = [0.02, 0.05, 0.03]
    other = stats.ttest_1samp(by_seed, 0.0).confidence_interval(0.95)
    interval = paired_interval([by_picture([value] * 7) for value in by_seed])
    assert interval == pytest.approx((1 / 30, other.low, other.high))


def test_equal_seeds_leave_the_pictures_alone_to_decide() -> None:
    """Pictures are drawn together for all seeds, so two equal seeds know no more than one."""
    values = [0.5, -0.25, 0.125, 1.0]
    # Of a mean over four drawn with replacement, the standard deviation is that of the four over the root of four.
    reach = stats.t(3).ppf(0.975) * np.std(values) / 2
    interval = paired_interval([by_picture(values)] * 2, num_draws=400_000)
    assert interval == pytest.approx((0.34375, 0.34375 - reach, 0.34375 + reach), abs=0.01)


def test_seeds_and_pictures_add_up() -> None:
    """A difference of 0.3 between seeds on top of the same pictures: both variances, Satterthwaite's freedom."""
    values = np.array([0.5, -0.25, 0.125, 1.0])
    interval = paired_interval([by_picture(values.tolist()), by_picture((values + 0.3).tolist())], num_draws=400_000)
    of_seeds, of_pictures = 0.3**2 / 2 / 2, np.var(values) / 4
    freedom = (of_seeds + of_pictures) ** 2 / (of_seeds**2 / 1 + of_pictures**2 / 3)
    reach = stats.t(freedom).ppf(0.975) * np.sqrt(of_seeds + of_pictures)
    assert interval.high - interval.low == pytest.approx(2 * reach, rel=0.01)


def test_what_pictures_do_to_one_seed_alone_is_counted_once() -> None:
    """Half of the pictures differ with one seed, half with the other: drawn pictures move both means oppositely."""
    first = by_picture([0.4] * 10 + [0.0] * 10)
    second = by_picture([0.0] * 10 + [0.4] * 10)
    # Equal means, and a draw's mean is always 0.2.
    assert paired_interval([first, second]) == pytest.approx((0.2, 0.2, 0.2))


def test_seeds_may_have_other_test_pictures() -> None:
    """Each of 40 pictures belongs to one seed only: a draw has about as many of each, and both means count equally."""
    first = {f"a{index}": 0.5 for index in range(10)}
    second = {f"b{index}": 0.5 for index in range(30)}
    assert paired_interval([first, second]) == pytest.approx((0.5, 0.5, 0.5))
    second = dict.fromkeys(second, 0.1)
    assert paired_interval([first, second]).difference == pytest.approx(0.3)


def test_whole_groups_are_drawn() -> None:
    """Two groups of one and three pictures: all four ways to draw two, each with the mean over its pictures."""
    groups = dict.fromkeys(["picture_1.jpg", "picture_2.jpg", "picture_3.jpg"], "car")
    interval = paired_interval([by_picture([1.0, 0.0, 0.5, 0.1])], groups=groups)
    # Twice the first alone, twice the other one alone, else all four; each more often than one time in forty.
    assert interval == pytest.approx((0.4, 0.2, 1.0))


def test_groups_have_the_degrees_of_freedom_of_their_number() -> None:
    """Two equal seeds, and four groups of three equal pictures, which tell no more than four pictures would."""
    values = [0.5, -0.25, 0.125, 1.0]
    groups = {f"picture_{index}.jpg": f"car {index // 3}" for index in range(12)}
    grouped = [by_picture(np.repeat(values, 3).tolist())] * 2
    reach = stats.t(3).ppf(0.975) * np.std(values) / 2
    expected = (0.34375, 0.34375 - reach, 0.34375 + reach)
    assert paired_interval(grouped, num_draws=400_000, groups=groups) == pytest.approx(expected, abs=0.01)
    assert paired_interval(grouped, num_draws=400_000).high < 0.34375 + reach / 2


def test_a_group_of_the_name_of_a_picture_is_another_one() -> None:
    values = by_picture([1.0, 0.0, 0.5, 0.1])
    named = dict.fromkeys(["picture_1.jpg", "picture_2.jpg"], "picture_0.jpg")
    other = dict.fromkeys(named, "car")
    assert paired_interval([values], groups=named) == pytest.approx(paired_interval([values], groups=other), abs=0.05)


def test_one_group_alone_shows_nothing() -> None:
    groups = {f"picture_{index}.jpg": "car" for index in range(3)}
    interval = paired_interval([by_picture([0.5, 0.6, 0.7])] * 2, groups=groups)
    assert interval == pytest.approx((0.6, -np.inf, np.inf))
    assert verdict("a", "b", interval) == "no difference shown"


def test_two_seeds_that_agree_by_chance_do_not_make_it_sure() -> None:
    """Equal means over other pictures: the uncertainty of the drawn pictures stays."""
    interval = paired_interval([by_picture([0.0, 0.0, 1.0, 1.0]), by_picture([0.0, 1.0, 1.0, 0.0])], num_draws=400_000)
    # The pictures' means over both seeds are 0, 0.5, 1 and 0.5.
    reach = stats.t(3).ppf(0.975) * np.std([0.0, 0.5, 1.0, 0.5]) / 2
    assert interval == pytest.approx((0.5, 0.5 - reach, 0.5 + reach), abs=0.01)


def test_equal_models_differ_by_nothing() -> None:
    interval = paired_interval([by_picture([0.0] * 5)] * 2)
    assert interval == (0.0, 0.0, 0.0)
    assert verdict("a", "b", interval) == "no difference shown"


def test_draws_are_repeated_with_the_same_seed_only() -> None:
    values = [by_picture(np.random.default_rng(seed).normal(size=20).tolist()) for seed in range(3)]
    assert paired_interval(values) == paired_interval(values)
    assert paired_interval(values, seed=1) != paired_interval(values)


def test_many_pictures_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [by_picture(np.random.default_rng(seed).normal(size=30).tolist()) for seed in range(2)]
    whole = paired_interval(values, num_draws=1000)
    monkeypatch.setattr("lightning_seg.comparison.intervals.LARGEST", 30 * 7)
    assert paired_interval(values, num_draws=1000) == pytest.approx(whole)


@pytest.mark.parametrize(("of_seed", "of_picture"), [(0.03, 0.05), (0.0, 0.3)])
def test_nineteen_of_twenty_intervals_hold_the_truth(of_seed: float, of_picture: float) -> None:
    """Three seeds and forty pictures, where seeds matter and where they do not."""
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        truth = of_seed * generator.normal(size=(3, 1)) + of_picture * generator.normal(size=(3, 40))
        interval = paired_interval([by_picture(row) for row in truth.tolist()], num_draws=200)
        hits += interval.holds_zero
    # Drawing three seeds with replacement would hold it in three quarters.
    assert 0.88 * 200 <= hits < 200


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(0.03, 0.01, 0.05), "a better than b by 0.0300 [0.0100, 0.0500]"),
        (Interval(-0.03, -0.05, -0.01), "b better than a by 0.0300 [0.0100, 0.0500]"),
        (Interval(0.03, -0.0001, 0.07), "no difference shown"),
        (Interval(-0.03, -0.07, 0.0), "no difference shown"),
    ],
)
def test_the_verdict_names_the_better_one_or_none(interval: Interval, expected: str) -> None:
    assert verdict("a", "b", interval) == expected
