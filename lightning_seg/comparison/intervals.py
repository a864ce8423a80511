"""Intervals of paired differences, over the test pictures and the seeds of training."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Numbers: TypeAlias = NDArray[np.float64]
NUM_DRAWS = 10_000
LEVEL = 0.95
LARGEST = 4_000_000
"""How many numbers are drawn at a time."""


class Interval(NamedTuple):
    """A mean difference and the bounds around it.

    Examples:
        >>> better = Interval(difference=0.25, low=0.125, high=0.5)
        >>> better.holds_zero, better.reversed()
        (False, Interval(difference=-0.25, low=-0.5, high=-0.125))
    """

    difference: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0 <= self.high

    def reversed(self) -> "Interval":
        return Interval(-self.difference, -self.high, -self.low)


def paired_interval(
    differences: Sequence[Mapping[str, float]],
    num_draws: int = NUM_DRAWS,
    level: float = LEVEL,
    seed: int = 0,
    groups: Mapping[str, str] | None = None,
) -> Interval:
    """The interval of the mean difference between two models, each trained with several seeds.

    Pictures of one group are not independent, so whole groups are drawn (the cluster bootstrap). Each draw takes as
    many groups as there are, with replacement and the same for all seeds; the mean of a seed is over those of their
    pictures that it was tested on. With one seed, the interval is the middle ``level`` of the draws (the percentile
    bootstrap).

    Seeds are too few for the same: draws of three seeds never leave the range of the three. Where seeds matter most,
    such an interval of 95 % misses the truth one time in six with three seeds, and one time in four with two: see
    docs/compare.md. So with several seeds, the variance between the seeds' means and the additional variance from the
    drawn groups add up to a squared standard error. The bounds are Student's t times that error, with the degrees of
    freedom of Satterthwaite (1946, Biometrics Bulletin 2). One group alone tells nothing about others: the bounds are
    infinite.

    Args:
        differences: by seed, the first model's score minus the second's, by picture.
        num_draws: of groups.
        level: share of such intervals that hold the true difference.
        seed: of the draws.
        groups: by picture; a picture that is missing is a group of its own.

    Examples:
        Every picture gains the same, so no draw of pictures differs from another one.

        >>> paired_interval([{"a.jpg": 0.25, "b.jpg": 0.25}], num_draws=100)
        Interval(difference=0.25, low=0.25, high=0.25)
    """
    sums, counts = _by_group(differences, groups or {})
    own = sums.sum(axis=1) / counts.sum(axis=1)
    difference = float(own.mean())
    if sums.shape[1] == 1:
        return Interval(difference, -np.inf, np.inf)
    means = _draw_means(sums, counts, own, num_draws, np.random.default_rng(seed))
    if len(own) == 1:
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        return Interval(difference, float(low), float(high))
    reach = _reach(means, own, sums.shape[1], level)
    return Interval(difference, difference - reach, difference + reach)


def _reach(means: Numbers, own: Numbers, num_groups: int, level: float) -> float:
    """Half the width of an interval over seeds and pictures."""
    num_seeds = len(own)
    of_seeds = own.var(ddof=1) / num_seeds
    # What pictures cause in each seed by itself is in the variance of the seeds already, as far as that shows it.
    apart = (means - own).var(axis=1, ddof=1).mean() / num_seeds
    of_pictures = max(0.0, means.mean(axis=1).var() - min(apart, of_seeds))
    variance = of_seeds + of_pictures
    if variance == 0:
        return 0.0
    freedom = variance**2 / (of_seeds**2 / (num_seeds - 1) + of_pictures**2 / (num_groups - 1))
    return float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(variance))


def _by_group(differences: Sequence[Mapping[str, float]], groups: Mapping[str, str]) -> tuple[Numbers, Numbers]:
    """``(S, G)``: sums of the differences of each seed and group, and their numbers of pictures."""
    names = sorted(set().union(*differences))
    # A picture may be called as a group is.
    keys = [(name in groups, groups.get(name, name)) for name in names]
    column = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    sums, counts = np.zeros((2, len(differences), len(column)))
    for row, by_picture in enumerate(differences):
        for name, key in zip(names, keys, strict=True):
            if name in by_picture:
                sums[row, column[key]] += by_picture[name]
                counts[row, column[key]] += 1
    return sums, counts


def _draw_means(
    sums: Numbers, counts: Numbers, own: Numbers, num_draws: int, generator: np.random.Generator
) -> Numbers:
    """``(num_draws, S)``: the mean of every seed over drawn groups."""
    size, parts = sums.shape[1], []
    at_once = max(1, LARGEST // size)
    for start in range(0, num_draws, at_once):
        count = min(at_once, num_draws - start)
        drawn = generator.integers(size, size=(count, size)) + size * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * size).reshape(count, size).astype(float)
        weights = times @ counts.T
        # Of few groups, none of a seed's may have been drawn.
        parts.append(np.where(weights > 0, times @ sums.T / np.maximum(weights, 1), own))
    return np.concatenate(parts)


def verdict(first: str, second: str, interval: Interval) -> str:
    """The conclusion about two variants.

    Args:
        first: a variant.
        second: the other.
        interval: of the first's scores minus the second's.
    """
    if interval.holds_zero:
        return "no difference shown"
    if interval.difference < 0:
        return verdict(second, first, interval.reversed())
    return f"{first} better than {second} by {interval.difference:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
