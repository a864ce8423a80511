"""Reading and comparing the results of the runs."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

from lightning_seg.callbacks.picture_scores import ScoredPictures, read_picture_scores
from lightning_seg.comparison.crossings import Crossing, MeanCurve, find_crossings, mean_curve
from lightning_seg.comparison.equality import Config, changes, check_monitors
from lightning_seg.comparison.intervals import Interval, paired_interval
from lightning_seg.comparison.plan import PlannedRun
from lightning_seg.errors import ConfigError, UserError
from lightning_seg.metrics.split_losses import is_loss
from lightning_seg.picture_table import TABLE
from lightning_seg.run_files import METRICS_FILE, MODE, read_curves
from lightning_seg.run_files import read_record as read_numbers


class RunError(UserError):
    """A run of a comparison has failed."""


class FinishedRun(NamedTuple):
    """One training and its test."""

    seed: int
    folder: Path
    record: dict[str, Any]  # metrics.json
    curves: dict[str, dict[int, float]]  # by metric and epoch
    pictures: ScoredPictures

    @property
    def monitor(self) -> str | None:
        """The validation metric that chose the best checkpoint, if any."""
        names = (name for name in self.record if name.startswith("best/val/"))
        return next((name.removeprefix("best/") for name in names), None)

    @property
    def is_lowest_best(self) -> bool:
        """Whether the lowest value of ``monitor`` is the best; records of earlier versions do not tell."""
        mode = self.record.get(MODE)
        return is_loss(self.monitor or "") if mode is None else mode == "min"


class VariantResult(NamedTuple):
    """A variant with all its seeds."""

    name: str
    runs: tuple[FinishedRun, ...]
    curve: MeanCurve
    metric: str  # without split

    def values(self, name: str) -> list[float]:
        """One value of the record for each seed."""
        return [run.record[name] for run in self.runs]

    @property
    def best_val(self) -> list[float]:
        return self.values(f"best/val/{self.metric}")

    @property
    def test(self) -> list[float]:
        return self.values(f"test/{self.metric}")


class Pair(NamedTuple):
    """Two variants: the first's scores minus the second's."""

    first: str
    second: str
    interval: Interval
    crossings: list[Crossing]


class Comparison(NamedTuple):
    """Everything for the report."""

    variants: tuple[VariantResult, ...]
    pairs: tuple[Pair, ...]
    notes: tuple[str, ...]
    failed: Mapping[str, str]  # variants that cannot be compared, and why

    @property
    def metric(self) -> str:
        return self.variants[0].metric

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.variants[0].runs]

    @property
    def groups(self) -> dict[str, str]:
        """The group of each test picture of any seed, which may be its own path."""
        tables = [run.pictures for run in self.variants[0].runs]
        return {path: table.groups.get(path, path) for table in tables for path in table.scores}

    @property
    def num_groups(self) -> int:
        return len(set(self.groups.values()))

    @property
    def quantity(self) -> str:
        """The name of a picture's score."""
        return self.variants[0].runs[0].pictures.quantity


def read_record(folder: Path) -> dict[str, Any]:
    """The numbers of a run; empty if it has not written any."""
    return read_numbers(folder, f"delete {folder}, and the same command trains it again")


def read_run(planned: PlannedRun) -> FinishedRun:
    """Raises RunError if its training went wrong."""
    folder = planned.folder
    record = read_record(folder)
    for name, value in record.items():
        # What was no number is kept as null.
        if value is None and name.startswith(("best/", "test/")):
            raise RunError(
                f"variant {planned.variant}, seed {planned.seed}: {name} is not a number, so this training went wrong "
                f"({planned.log}); change what the variant sets, and give it another name: the others stay as they are"
            )
    curves = read_curves(folder / METRICS_FILE)
    return FinishedRun(planned.seed, folder, record, curves, read_picture_scores(folder / TABLE))


def compare_runs(
    runs: Mapping[str, Sequence[FinishedRun]], notes: Sequence[str] = (), failed: Mapping[str, str] | None = None
) -> Comparison:
    """Means, curves, paired intervals and crossings.

    Args:
        runs: by variant, of the same seeds in the same order.
        notes: further remarks.
        failed: variants without results, with the reason.

    Raises:
        ConfigError: if the variants were chosen by different metrics, or tested on different pictures.
    """
    monitor = _monitor_of(runs)
    metric = monitor.removeprefix("val/")
    variants = tuple(
        VariantResult(name, tuple(finished), mean_curve([run.curves[monitor] for run in finished]), metric)
        for name, finished in runs.items()
    )
    lower = all(run.is_lowest_best for finished in runs.values() for run in finished)
    groups = {
        path: group for finished in runs.values() for run in finished for path, group in run.pictures.groups.items()
    }
    # The later one first: what was gained over the variants before it.
    pairs = tuple(
        Pair(
            second.name,
            first.name,
            paired_interval(picture_differences(second, first), groups=groups),
            find_crossings(second.curve, first.curve, (second.name, first.name), lower),
        )
        for first, second in combinations(variants, 2)
    )
    return Comparison(variants, pairs, tuple(notes), failed or {})


def _monitor_of(runs: Mapping[str, Sequence[FinishedRun]]) -> str:
    monitors = {f"{name}, seed {run.seed}": run.monitor for name, finished in runs.items() for run in finished}
    check_monitors(monitors)
    return next(monitor for monitor in monitors.values() if monitor is not None)


def picture_differences(first: VariantResult, second: VariantResult) -> list[dict[str, float]]:
    """By seed, the first variant's score minus the second's, by picture."""
    differences = []
    for one, other in zip(first.runs, second.runs, strict=True):
        scores, others = one.pictures.scores, other.pictures.scores
        if scores.keys() != others.keys() or one.pictures.quantity != other.pictures.quantity:
            raise ConfigError(f"{one.folder} and {other.folder} were tested on different pictures; give the same data")
        differences.append({path: score - others[path] for path, score in scores.items()})
    return differences


def check_initial_weights(runs: Mapping[str, Sequence[FinishedRun]], configs: Mapping[str, Config]) -> list[str]:
    """With one seed all variants must start from the same weights.

    Args:
        runs: by variant, of the same seeds in the same order.
        configs: all arguments of every variant.

    Returns:
        Notes about variants that are other networks.

    Raises:
        ConfigError: if networks of the same arguments start from different weights.
    """
    said = []
    for first, second in combinations(runs, 2):
        for one, other in zip(runs[first], runs[second], strict=False):
            if one.record.get("initial_weights") == other.record.get("initial_weights"):
                continue
            of_model = [name for name in changes(configs[first], configs[second]) if name.partition(".")[0] == "model"]
            if not of_model:
                raise ConfigError(
                    f"{one.folder} and {other.folder} have the same model arguments and seed, but started from "
                    "different weights; delete the older one and train it again"
                )
            said.append(f"{first} and {second} start from different weights: they differ in {', '.join(of_model)}")
    return list(dict.fromkeys(said))


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """The standard deviation of a single value is None."""
    return mean(values), stdev(values) if len(values) > 1 else None
