"""Lightning's CSV log, kept in a continued run, and complete after any kill."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import rank_zero_experiment  # type: ignore[attr-defined]

from lightning_seg.locks import holding
from lightning_seg.run_files import read_curves as read_curves  # its former place
from lightning_seg.tables import append_rows, drop_cut_row, read_fields, read_rows, write_rows

RESULTS_LOCK = ".results.lock"


@contextmanager
def changing_results(folder: Path) -> Iterator[None]:
    """Lock on the table and the numbers of a run, which a test may change while the run is training."""
    with holding(folder / RESULTS_LOCK, wait=True):
        yield


class _AppendingWriter(ExperimentWriter):
    """Continues an existing file with its columns."""

    def __init__(self, log_dir: str) -> None:
        super().__init__(log_dir=log_dir)
        self.path = Path(self.metrics_file_path)
        with changing_results(self.path.parent):
            drop_cut_row(self.path)

    def save(self) -> None:
        if not self.metrics:
            return
        with changing_results(self.path.parent):
            known = read_fields(self.path)
            fields = sorted({*known, *(name for row in self.metrics for name in row)})
            if fields == known:
                append_rows(self.path, fields, self.metrics)
            else:
                write_rows(self.path, fields, [*read_rows(self.path), *self.metrics])
        self.metrics = []

    def _check_log_dir_exists(self) -> None:
        """Lightning's writer deletes the file here."""


class ContinuedCSVLogger(CSVLogger):
    """Appends to the ``metrics.csv`` of an earlier run in the same folder, which Lightning's logger would delete.

    Args:
        save_dir: see Lightning's.
        name: see Lightning's.
        version: see Lightning's.
        trains: validating or testing is of no epoch, which Lightning calls epoch 0.
        prefix: see Lightning's.
        flush_logs_every_n_steps: see Lightning's.
    """

    def __init__(
        self,
        save_dir: str,
        name: str = "lightning_logs",
        version: int | str | None = None,
        trains: bool = True,
        prefix: str = "",
        flush_logs_every_n_steps: int = 100,
    ) -> None:
        super().__init__(save_dir, name, version, prefix, flush_logs_every_n_steps)
        self.trains = trains

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        kept = {name: value for name, value in metrics.items() if self.trains or name != "epoch"}
        super().log_metrics(kept, step)

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        if self._experiment is None:
            self._experiment = _AppendingWriter(self.log_dir)
        assert isinstance(self._experiment, ExperimentWriter)
        return self._experiment
