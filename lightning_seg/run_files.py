"""The files of a run folder that people and programs read, and what stands in them: no torch, no Lightning."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from lightning_seg.json_files import read_json
from lightning_seg.tables import read_rows

CONFIG_FILE = "config.yaml"
METRICS_FILE = "metrics.csv"
RECORD_FILE = "metrics.json"
PIXELS_FILE = "confusion_pixels.csv"
"""Of masks, by a test: pixels by true and predicted class; at the original size ``confusion_pixels_full.csv``."""
PIXEL_COLUMNS = ("truth", "prediction", "pixels")
STOPPED_EARLY = "stopped_early"
"""Key of the epochs of a training that ended before its given epochs or steps."""
MODE = "best_is"
"""Key of ``min`` or ``max``: whether the lowest or the highest value of the monitored metric is the best."""
LOSS = "loss_is"
"""Key of the parts of the loss with their weights, ``cross_entropy + 0.5 dice_loss``."""
BEST = "best/"
"""Before the name of the monitored metric: its best value."""
CHECKPOINT = "checkpoint/"
"""Before a split: the checkpoint that it was measured with, its ``file``, ``epoch`` (from 0) and ``sha256``."""

Curves: TypeAlias = Mapping[str, Mapping[int, float]]
"""By metric and epoch, which is counted from 0."""


def read_curves(path: Path) -> dict[str, dict[int, float]]:
    """Values by epoch and metric name; if an epoch was logged twice, the later value counts.

    Raises:
        ValueError: if a cell is no number.
    """
    curves: dict[str, dict[int, float]] = {}
    for row in read_rows(path):
        for name, value in row.items():
            if row.get("epoch") and value and name not in ("epoch", "step"):
                curves.setdefault(name, {})[int(row["epoch"])] = float(value)
    return curves


def read_record(folder: Path, remedy: str = "delete it, and it is begun anew") -> dict[str, Any]:
    """The numbers of a run; empty if it has not written any.

    Raises:
        DataError: if the file holds something else; ``remedy`` ends the message.
    """
    path = folder / RECORD_FILE
    return read_json(path, remedy) if path.is_file() else {}


def without_results(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a run that hold for all its checkpoints."""
    return {name: value for name, value in numbers.items() if "/" not in name or name.startswith("version/")}


class MeasuredCheckpoint(NamedTuple):
    """What a split was measured with."""

    file: str | None  # its name; None of weights that came from no file
    epoch: int | None  # of its training, from 0
    sha256: str | None

    def is_another(self, sha256: str) -> bool:
        """Whether it is not the checkpoint of this digest."""
        return self.sha256 != sha256

    def __str__(self) -> str:
        if self.file is None:
            return "weights of no checkpoint"
        return self.file if self.epoch is None else f"{self.file} of epoch {self.epoch + 1}"


def checkpoint_numbers(
    split: str, file: str | None = None, epoch: int | None = None, sha256: str | None = None
) -> dict[str, Any]:
    """What the record says about the checkpoint of a split."""
    return {
        f"{CHECKPOINT}{split}/{name}": value for name, value in (("file", file), ("epoch", epoch), ("sha256", sha256))
    }


def tested_checkpoint_of(numbers: Mapping[str, Any], split: str) -> MeasuredCheckpoint | None:
    """With which checkpoint a split was measured; None where earlier versions did not record it."""
    if f"{CHECKPOINT}{split}/file" not in numbers:
        return None
    file, epoch, sha256 = (numbers.get(f"{CHECKPOINT}{split}/{name}") for name in MeasuredCheckpoint._fields)
    return MeasuredCheckpoint(
        file if isinstance(file, str) else None,
        epoch if isinstance(epoch, int) else None,
        sha256 if isinstance(sha256, str) else None,
    )


def monitor_of(numbers: Mapping[str, Any]) -> str | None:
    """The metric that has chosen the best checkpoint."""
    return next((name.removeprefix(BEST) for name in numbers if name.startswith(BEST)), None)


def is_lowest_best(numbers: Mapping[str, Any], curves: Curves) -> bool:
    """Of the monitored metric; earlier versions did not record it, but its best value."""
    if MODE in numbers:
        return bool(numbers[MODE] == "min")
    monitor = monitor_of(numbers)
    values = [value for value in curves.get(monitor or "val/loss", {}).values() if isfinite(value)]
    best = numbers.get(f"{BEST}{monitor}")
    if not isinstance(best, float) or not values:
        return True
    return abs(best - min(values)) < abs(best - max(values))


def epochs_of(numbers: Mapping[str, Any], curves: Curves) -> int:
    """How many epochs were trained; the record may be older than the table, or there may be no table."""
    recorded = numbers.get("epochs")
    logged = 1 + max(curves.get("train/loss", {}), default=-1)
    return max(logged, recorded) if isinstance(recorded, int) else logged
