"""Reading curves, for instance whether a loss has fallen: values by epoch in, plain facts out.

All thresholds are multiples of the curve's own noise, with a share of its level as the least that matters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import median
from typing import NamedTuple, Self

SPREAD = 1.4826
"""Standard deviation of normal values by the median of their absolute ones."""
CERTAIN = 3.0
"""Standard deviations beyond which a change is none of chance."""


@dataclass(frozen=True)
class Curve:
    """Finite values by epoch, counted from 1."""

    epochs: tuple[int, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, by_epoch: Mapping[int, float]) -> Self:
        """From values by epoch as ``metrics.csv`` counts them, from 0."""
        kept = [(epoch + 1, value) for epoch, value in sorted(by_epoch.items()) if isfinite(value)]
        return cls(tuple(epoch for epoch, _ in kept), tuple(value for _, value in kept))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def noise(self) -> float:
        """Standard deviation of a value around the trend; a straight trend has none, a jump counts for nothing."""
        if len(self) < 3:
            return 0.0
        first, second, third = self.values, self.values[1:], self.values[2:]
        bends = [abs(a - 2 * b + c) for a, b, c in zip(first, second, third, strict=False)]
        return SPREAD * median(bends) / sqrt(6)

    @property
    def smooth(self) -> tuple[float, ...]:
        """Running medians of three; single outliers are gone, the ends stay as they are."""
        inner = [median(self.values[index - 1 : index + 2]) for index in range(1, len(self) - 1)]
        return (*self.values[:1], *inner, *self.values[1:][-1:])

    @property
    def minimum(self) -> tuple[float, int]:
        """The lowest value, and its epoch."""
        lowest = min(self.values)
        return lowest, self.epochs[self.values.index(lowest)]

    @property
    def last(self) -> float:
        """The level at the end: the median of the last quarter, of five values at most."""
        return median(self.values[-max(1, min(5, len(self) // 4)) :])

    @property
    def scale(self) -> float:
        """The level at the beginning, which small changes are compared with."""
        return abs(self.values[0])

    def part(self, start: float, end: float) -> "Curve":
        """Between two shares of its length."""
        first, stop = round(start * len(self)), round(end * len(self))
        return Curve(self.epochs[first:stop], self.values[first:stop])

    def mirrored(self) -> "Curve":
        """The same with its sign turned, so that higher is better."""
        return Curve(self.epochs, tuple(-value for value in self.values))


def has_fallen(curve: Curve, least: float = 0.01) -> bool:
    """Whether the end lies below the beginning by more than chance, and more than a share of it.

    A fifth is more than chance in any case: the bend of a short curve that falls fast looks like noise.
    """
    certain = min(CERTAIN * curve.noise, 0.2 * curve.scale)
    return curve.values[0] - curve.last > max(certain, least * curve.scale)


class Relapse(NamedTuple):
    """A loss that ends where it began, or above."""

    lowest: float
    epoch: int  # of the lowest
    last: float


def relapse(curve: Curve) -> Relapse | None:
    """Of a loss that had fallen by a fifth of its first value and ends with nine tenths of that lost again; or that has
    risen by half.
    """
    lowest = min(curve.smooth)
    fall, found = curve.values[0] - lowest, Relapse(*curve.minimum, curve.last)
    fell = fall > max(CERTAIN * curve.noise, 0.2 * curve.scale)
    if fell and curve.last - lowest >= 0.9 * fall:
        return found
    rose = curve.last - curve.values[0] > max(CERTAIN * curve.noise, 0.5 * curve.scale)
    return found if rose else None


class Jump(NamedTuple):
    """A sudden rise of a loss."""

    epoch: int
    before: float
    after: float


def highest_jump(curve: Curve) -> Jump | None:
    """The highest rise by half or more from one epoch to the next; small ones near 0 do not count."""
    steps = list(zip(curve.epochs[1:], curve.values, curve.values[1:], strict=False))
    # Of a short curve a jump is in half of the second differences, and in fewer of the first ones.
    rises = [after - before for _, before, after in steps]
    usual = SPREAD * median(abs(rise - median(rises)) for rise in rises) if rises else 0.0
    jumps = [
        Jump(epoch, before, after)
        for epoch, before, after in steps
        if after - before > max(CERTAIN * usual, 0.5 * abs(before), 0.1 * curve.scale)
    ]
    return max(jumps, key=lambda jump: jump.after - jump.before, default=None)


def unsteadiness(curve: Curve) -> float | None:
    """Noise of the second half of a loss by its level, where that is a sixth or more and the half does not fall."""
    half = curve.part(0.5, 1)
    level = abs(median(half.values)) if half else 0.0
    if len(half) < 4 or not level or half.noise / level < 1 / 6:
        return None
    if half.values[0] - half.last > CERTAIN * half.noise:
        return None
    return half.noise / level


class Overfit(NamedTuple):
    """Since when the loss of validation rises while that of training falls."""

    since: int
    lowest: float
    last: float
    gap_then: float
    gap_now: float


def overfit(train: Curve, val: Curve) -> Overfit | None:
    """Of the losses; that of validation has to rise by a tenth or more, and over its noise."""
    lowest, since = val.minimum
    at = dict(zip(train.epochs, train.values, strict=True)).get(since)
    rise = val.last - min(val.smooth)
    if at is None or rise <= max(CERTAIN * val.noise, 0.1 * abs(lowest)) or at - train.last <= train.noise:
        return None
    return Overfit(since, lowest, val.last, lowest - at, val.last - train.last)


def settled(score: Curve) -> int:
    """The first epoch whose score, of which higher is better, is the best one but for noise."""
    best = max(score.smooth)
    return next(epoch for epoch, value in zip(score.epochs, score.values, strict=True) if value >= best - score.noise)


def improves(score: Curve, least: float = 0.01) -> bool:
    """Whether a score becomes better than its first value by more than chance, which a tenth is in any case."""
    return max(score.smooth) - score.values[0] > max(min(CERTAIN * score.noise, 0.1), least)


def is_rising_still(score: Curve) -> bool:
    """Whether the last quarter has brought more than noise, and the last tenth the best value."""
    before, after = score.part(0, 0.75), score.part(0.75, 1)
    if not before or not after:
        return False
    best = max(score.values)
    is_late = len(score) - score.values.index(best) <= max(1, len(score) // 10)
    return is_late and max(after.values) - max(before.values) > max(CERTAIN * score.noise, 0.01 * abs(best))


def is_slow(loss: Curve) -> bool:
    """Whether a loss falls little, and at the end as fast as at the beginning: three tenths or less of its first value,
    and in its last third at least seven tenths of what it has lost in the first third.
    """
    thirds = [loss.part(start, start + 1 / 3) for start in (0, 2 / 3)]
    if len(loss) < 6 or not has_fallen(loss, 0.0):
        return False
    first, last = (part.values[0] - part.values[-1] for part in thirds)
    return loss.values[0] - loss.last < 0.3 * loss.scale and 0 < 0.7 * first <= last


def worst_values(curves: Mapping[str, Mapping[int, float]], names: Sequence[str]) -> list[tuple[str, int]]:
    """The first epoch, from 1, in which each of these is no number."""
    found = []
    for name in names:
        epochs = [epoch + 1 for epoch, value in sorted(curves.get(name, {}).items()) if not isfinite(value)]
        found += [(name, epochs[0])] if epochs else []
    return found
