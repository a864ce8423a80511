"""Lightning's CSV log, kept when a run is continued."""

import csv
from pathlib import Path

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import rank_zero_experiment  # type: ignore[attr-defined]

METRICS_FILE = "metrics.csv"


class _AppendingWriter(ExperimentWriter):
    """Continues the file that it finds, with the columns it has."""

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir=log_dir)
        path = Path(self.metrics_file_path)
        if path.is_file():
            with path.open(newline="") as file:
                self.metrics_keys = next(csv.reader(file), [])

    def _check_log_dir_exists(self) -> None:
        """Lightning's writer deletes the file here."""


class ContinuedCSVLogger(CSVLogger):
    """Appends to the ``metrics.csv`` of an earlier run in the same folder, which Lightning's logger would delete."""

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        if self._experiment is None:
            self._experiment = _AppendingWriter(self.log_dir)
        assert isinstance(self._experiment, ExperimentWriter)
        return self._experiment


def read_curves(path: Path) -> dict[str, dict[int, float]]:
    """Epoch to value by metric name; where an epoch was logged twice, the later value counts."""
    curves: dict[str, dict[int, float]] = {}
    if not path.is_file():
        return curves
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if row.get("epoch") and value and name not in ("epoch", "step"):
                    curves.setdefault(name, {})[int(row["epoch"])] = float(value)
    return curves
