"""The training of a run folder as it was logged, without its network and its pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.arguments.reading import read_config
from lightning_seg.doctor.run.curves import Curve
from lightning_seg.errors import DataError
from lightning_seg.run_files import (
    METRICS_FILE,
    STOPPED_EARLY,
    epochs_of,
    is_lowest_best,
    monitor_of,
    read_curves,
    read_record,
)
from lightning_seg.runs import Run, is_training
from lightning_seg.yaml_files import dotted


class History(NamedTuple):
    """A training as it was logged."""

    name: str  # of its folder, for commands
    curves: Mapping[str, Mapping[int, float]]  # by metric and epoch from 0
    numbers: Mapping[str, Any]  # of metrics.json
    config: Mapping[str, Any]  # arguments by dotted name
    is_training: bool  # still

    @classmethod
    def of(cls, run: Run) -> "History":
        """From the files of a run.

        Raises:
            DataError: if one of them cannot be read.
        """
        numbers = read_record(run.folder)
        return cls(str(run.folder), _curves_of(run.folder), numbers, _arguments_of(run.config), is_training(run.folder))

    def curve(self, name: str) -> Curve:
        return Curve.of(self.curves.get(name, {}))

    @property
    def epochs(self) -> int:
        """How many epochs were trained; the record may be older than the table, or there may be no table."""
        return epochs_of(self.numbers, self.curves)

    @property
    def max_epochs(self) -> int | None:
        """How many were asked for; None if something else ends it."""
        epochs, steps = (self.config.get(f"trainer.{name}") for name in ("max_epochs", "max_steps"))
        ends_by_steps = isinstance(steps, int) and steps >= 0
        return epochs if isinstance(epochs, int) and epochs > 0 and not ends_by_steps else None

    @property
    def lr(self) -> float | None:
        given = self.config.get("model.lr")
        return given if isinstance(given, float) and given > 0 else None

    @property
    def stopped_early(self) -> bool:
        """Whether a callback has ended it; a run that was continued may have gone on since."""
        stopped = self.numbers.get(STOPPED_EARLY)
        return isinstance(stopped, int) and self.epochs <= stopped

    @property
    def monitor(self) -> str | None:
        """The metric that has chosen the best checkpoint."""
        return monitor_of(self.numbers)

    @property
    def lower_is_better(self) -> bool:
        """Of the monitored metric; earlier versions did not record it, but its best value."""
        return is_lowest_best(self.numbers, self.curves)

    def score(self) -> Curve:
        """The monitored metric, or the loss of validation, so that higher is better; empty without validation."""
        curve = self.curve(self.monitor or "val/loss")
        return curve.mirrored() if self.lower_is_better else curve

    def logged(self, score: float) -> float:
        """A value of ``score`` as it was logged."""
        return -score if self.lower_is_better else score


def _curves_of(folder: Path) -> Mapping[str, Mapping[int, float]]:
    path = folder / METRICS_FILE
    try:
        return read_curves(path)
    except ValueError as error:
        raise DataError(f"{path}: a cell is no number ({error}); restore the file, or delete it") from error


def _arguments_of(config: Path) -> Mapping[str, Any]:
    return dict(dotted(read_config(config)))
