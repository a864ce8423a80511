"""Whether two sets of pictures differ by more than chance allows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, ks_2samp

LEVEL = 0.01
"""Share of datasets, divided by chance, for which anything is found at all."""
SHIFTED, SWAPPED = 0.15, 0.1
"""Differences below these are not worth a word, however sure: between two cumulative shares of pictures (the statistic
of Kolmogorov and Smirnov), and the share of pictures that would need another class."""
EXPECTED = 5.0
"""Pictures that a class needs for the chi-square test to hold; rarer ones are counted together."""


class Sample(NamedTuple):
    """What is known of the pictures of a split, one row for each group of pictures that belong together."""

    values: Mapping[str, NDArray[np.float64]]  # by quantity, (groups,); NaN where nobody knows
    labels: NDArray[np.int64] | None  # (groups,), of pictures of one class each


class Shift(NamedTuple):
    """A difference between the pictures to train on and others."""

    split: str
    quantity: str
    trained: str  # its median, or its shares
    other: str
    effect: float  # 0 to 1
    p_value: float  # before the correction


def find_shifts(train: Sample, others: Mapping[str, Sample], class_names: Sequence[str]) -> list[Shift]:
    """The differences that are large, and too large for chance; the largest first.

    Brightness and other numbers are compared by the test of Kolmogorov and Smirnov, classes by the chi-square test. The
    level is divided by the number of tests (Bonferroni), so a hundred of them find no more by chance than one.
    """
    tested = [shift for split, sample in others.items() for shift in _compare(split, train, sample, class_names)]
    sure = [shift for shift in tested if shift.p_value < LEVEL / len(tested)]
    large = [shift for shift in sure if shift.effect >= (SWAPPED if shift.quantity == "classes" else SHIFTED)]
    return sorted(large, key=lambda shift: -shift.effect)


def _compare(split: str, train: Sample, other: Sample, class_names: Sequence[str]) -> Iterator[Shift]:
    for quantity, values in train.values.items():
        pair = [values[~np.isnan(values)] for values in (values, other.values[quantity])]
        if all(len(values) for values in pair):
            told = ks_2samp(*pair)
            trained, tested = (f"{np.median(values):.3g}" for values in pair)
            yield Shift(split, quantity, trained, tested, float(told.statistic), float(told.pvalue))
    if train.labels is not None and other.labels is not None:
        yield from _classes(split, train.labels, other.labels, class_names)


def _classes(
    split: str, train: NDArray[np.int64], other: NDArray[np.int64], class_names: Sequence[str]
) -> Iterator[Shift]:
    counts = np.array([np.bincount(labels, minlength=len(class_names)) for labels in (train, other)])
    pooled = _pooled(counts)
    if pooled.shape[1] < 2:
        return
    shares = counts / counts.sum(axis=1, keepdims=True)
    most = int(abs(shares[0] - shares[1]).argmax())
    trained, tested = (f"{share[most]:.0%} {class_names[most]}" for share in shares)
    swapped = abs(np.subtract(*shares)).sum() / 2
    yield Shift(split, "classes", trained, tested, float(swapped), float(chi2_contingency(pooled).pvalue))


def _pooled(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes of which enough pictures are expected in both splits, and the rest as one."""
    expected = counts.sum(axis=0) * (counts.sum(axis=1).min() / counts.sum())
    often = expected >= EXPECTED
    rest = counts[:, ~often].sum(axis=1, keepdims=True)
    parts = [counts[:, often], rest] if rest.all() and expected[~often].sum() >= EXPECTED else [counts[:, often]]
    return np.concatenate(parts, axis=1)
