"""Mean validation curves and their crossings."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

LASTING = 3
"""Validations in a row that make a lead."""


class MeanCurve(NamedTuple):
    """A metric over the epochs that all seeds have."""

    epochs: list[int]  # counted from one: the value after that many
    means: list[float]
    deviations: list[float]  # standard ones, 0 of a single seed


class Crossing(NamedTuple):
    """The place where another curve takes the lead."""

    epoch: int  # the first of its lead
    ahead: str


def mean_curve(curves: Sequence[Mapping[int, float]]) -> MeanCurve:
    """The mean of the curves of several seeds; epochs count from 0 as in Lightning."""
    epochs = sorted(set(curves[0]).intersection(*curves[1:]))
    values = np.array([[curve[epoch] for epoch in epochs] for curve in curves]).reshape(len(curves), len(epochs))
    deviations = values.std(axis=0, ddof=1) if len(curves) > 1 else np.zeros(len(epochs))
    return MeanCurve([epoch + 1 for epoch in epochs], values.mean(axis=0).tolist(), deviations.tolist())


def find_crossings(
    first: MeanCurve, second: MeanCurve, names: tuple[str, str], lower_is_better: bool = False
) -> list[Crossing]:
    """Changes of the lead between two mean curves.

    A curve leads if it is ahead in ``LASTING`` validations in a row; an equal value continues the state before. Shorter
    stretches do not count. A crossing is the first epoch of a lead that another curve had before.
    """
    others = dict(zip(second.epochs, second.means, strict=True))
    sign = -1 if lower_is_better else 1
    ahead = [
        (epoch, sign * (mean - others[epoch]))
        for epoch, mean in zip(first.epochs, first.means, strict=True)
        if epoch in others
    ]
    leads = list(_leads(ahead))
    return [
        Crossing(epoch, names[0] if positive else names[1])
        for (_, before), (epoch, positive) in pairwise(leads)
        if before != positive
    ]


def _leads(ahead: Sequence[tuple[int, float]]) -> Iterator[tuple[int, bool]]:
    """First epoch and owner (True for the first curve) of each lead."""
    signs: list[tuple[int, bool]] = []
    for epoch, difference in ahead:
        if difference or signs:
            signs.append((epoch, difference > 0 if difference else signs[-1][1]))
    for positive, group in groupby(signs, key=lambda pair: pair[1]):
        epochs = [epoch for epoch, _ in group]
        if len(epochs) >= LASTING:
            yield epochs[0], positive
