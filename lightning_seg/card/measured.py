"""The numbers that belong to the weights of a card: of the test, or of the epoch that was the best in validation."""

from collections.abc import Mapping
from math import isclose, isfinite
from typing import Any, NamedTuple

from lightning_seg.run_files import BEST, Curves, MeasuredCheckpoint, is_lowest_best, monitor_of, tested_checkpoint_of

TEST = ("test", "test_full")
"""Splits that a network was tested on, the most telling one first."""


class Measured(NamedTuple):
    """Numbers of one split."""

    split: str  # before the names in the files
    values: dict[str, float]  # by name without split
    where: str  # a sentence
    not_numbers: tuple[str, ...] = ()  # what was measured, and is no number

    @property
    def is_test(self) -> bool:
        return self.split in TEST

    def of(self, per_class: bool) -> dict[str, float]:
        """The numbers of single classes, or over all."""
        return {name: value for name, value in self.values.items() if ("/" in name) == per_class}


def measured_of(numbers: Mapping[str, Any], curves: Curves, digest: str) -> Measured | None:
    """What was measured with the weights of the best checkpoint; None if nothing was.

    Args:
        numbers: of ``metrics.json``, whose values of validation are those of the last epoch.
        curves: of ``metrics.csv``.
        digest: of the best checkpoint's file; tests of others do not count.
    """
    others = others_tested(numbers, digest)
    for split in TEST:
        values = {} if split in others else _within(numbers, split)
        if values:
            tested = tested_checkpoint_of(numbers, split)
            by = "" if tested is None else f", by {tested}"
            where = f"On the test split (`{split}/...` of `metrics.json`{by})."
            return Measured(split, values, where, tuple(name for name in _named(numbers, split) if name not in values))
    monitor = monitor_of(numbers)
    best = numbers.get(f"{BEST}{monitor}")
    if monitor is None or not isinstance(best, int | float):
        return None
    split, _, name = monitor.partition("/")
    chose = "On the validation split, which chose the checkpoint"
    epoch = _best_epoch(numbers, curves, monitor)
    # The table may have been begun anew after the best epoch.
    if epoch is None or not isclose(curves[monitor][epoch], best, rel_tol=1e-6):
        where = f"{chose}: its best value alone is known (`{BEST}{monitor}` of `metrics.json`)."
        return Measured(f"{BEST}{split}", {name: best}, where)
    row = {name: values[epoch] for name, values in curves.items() if epoch in values}
    where = f"{chose}: epoch {epoch + 1}, the best by `{monitor}` (`{split}/...` of epoch {epoch} in `metrics.csv`)."
    return Measured(split, _within(row, split), where)


def others_tested(numbers: Mapping[str, Any], digest: str) -> dict[str, MeasuredCheckpoint]:
    """The splits that were tested with another checkpoint than that of this digest."""
    tested = {split: tested_checkpoint_of(numbers, split) for split in TEST}
    return {split: one for split, one in tested.items() if one is not None and one.is_another(digest)}


def _best_epoch(numbers: Mapping[str, Any], curves: Curves, monitor: str) -> int | None:
    """The first of several, as checkpoints are kept."""
    values = {epoch: value for epoch, value in sorted(curves.get(monitor, {}).items()) if isfinite(value)}
    choose = min if is_lowest_best(numbers, curves) else max
    return choose(values, key=lambda epoch: values[epoch], default=None)


def _within(values: Mapping[str, Any], split: str) -> dict[str, float]:
    return {name: value for name, value in _named(values, split).items() if _is_number(value)}


def _named(values: Mapping[str, Any], split: str) -> dict[str, Any]:
    return {name.removeprefix(f"{split}/"): value for name, value in values.items() if name.startswith(f"{split}/")}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
