"""Writing predictions as files and as rows of a table, batch by batch."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter

from lightning_seg.batch import PictureBatch, PredictedBatch
from lightning_seg.callbacks.split_plots import class_names
from lightning_seg.errors import ConfigError
from lightning_seg.files import remove_left_overs
from lightning_seg.prediction_folder import FIRST_COLUMN, TABLE
from lightning_seg.tables import append_rows, harmless_path, read_rows, write_rows
from lightning_seg.tasks.batches import described
from lightning_seg.tasks.pictures import picture_batch

log = logging.getLogger(__name__)
NO_NUMBER = "the network's answer is no number (NaN or infinite); give --trainer.precision 32-true, or another run"
Row = dict[str, Any]


class PredictionWriter(BasePredictionWriter, ABC):
    """Base of the writers of all kinds of predictions: the folder, the table, and files that could not be read.

    Every picture is a row of ``predictions.csv``, which is complete up to the last batch at any time. A file that could
    not be read is reported, and its row holds the reason under ``error``. Subclasses for masks, labels and boxes define
    their columns and the files of one picture.

    Args:
        output: folder.
    """

    folders: tuple[str, ...] = ()
    """Places of the files of pictures below ``output``: folders, or patterns of files."""

    def __init__(self, output: str | Path = "predictions") -> None:
        super().__init__(write_interval="batch")
        self.output = Path(output)
        self.num_pictures = 0
        self._before: set[str] = set()

    @abstractmethod
    def columns(self, class_names: Sequence[str]) -> list[str]:
        """The table's columns between ``picture`` and ``error``."""

    @abstractmethod
    def write_picture(self, batch: PictureBatch, position: int, prediction: Any, class_names: Sequence[str]) -> Row:
        """Write the files of one picture and return its row."""

    def finish(self, rows: Sequence[dict[str, str]], class_names: Sequence[str]) -> None:
        """Called on the first process when all rows of all processes are there."""

    @property
    def num_unreadable(self) -> int:
        """Of all processes, from the table; also for a process that only started the others and predicted nothing."""
        table = self.output / TABLE
        if not table.is_file():
            return 0
        return sum(bool(row["error"]) for row in read_rows(table))

    def _check_output(self) -> None:
        """Only files of an earlier prediction may be overwritten."""
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            foreign = [name for name in self.folders if _holds_files(self.output, name)]
            if foreign and not (self.output / TABLE).is_file():
                raise ConfigError(
                    f"output {self.output}: {_as_folder(foreign[0])} there holds files of another origin, which would "
                    "be mixed up with predictions; give another folder"
                )
            for folder in self.folders:
                remove_left_overs(self.output, ".*.partial" if "*" in folder else f"{folder}/**/.*.partial")
            self._before = _pictures_in(self.output / TABLE)
            (self.output / TABLE).open("a").close()
        except OSError as error:
            raise ConfigError(
                f"output {self.output}: cannot be written ({error.strerror or error}); give another folder"
            ) from error

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self._check_output()
        trainer.strategy.barrier()
        self.output.mkdir(parents=True, exist_ok=True)
        self.class_names = class_names(pl_module)
        self.fields = [FIRST_COLUMN, *self.columns(self.class_names), "error"]
        self.table = self._table_of(trainer.global_rank)
        write_rows(self.table, self.fields, [])

    def write_on_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        if not (isinstance(prediction, Mapping) and prediction.keys() >= PredictedBatch.__required_keys__):
            raise ConfigError(
                f"predict_step of {type(pl_module).__name__} returns {described(prediction)}, and "
                f"{type(self).__name__} writes what tasks of this package return; leave predict_step as it is, or "
                "write in a callback of yours"
            )
        batch = picture_batch(batch, batch_idx, trainer.global_rank)
        rows = []
        for position, (path, one) in enumerate(zip(prediction["path"], prediction["predictions"], strict=True)):
            if one.is_number:
                rows.append({"picture": path, **self.write_picture(batch, position, one, self.class_names)})
            else:
                log.warning("skipped %s: %s", path, NO_NUMBER)
                rows.append({"picture": path, "error": NO_NUMBER})
        for path, reason in prediction["unreadable"]:
            log.warning("skipped %s", reason, extra={"every_process": True})
            rows.append({"picture": path, "error": reason})
        rows.sort(key=lambda row: batch["files"].index(row["picture"]))
        append_rows(self.table, self.fields, ({**row, "picture": harmless_path(row["picture"])} for row in rows))

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.strategy.barrier()
        if not trainer.is_global_zero:
            return
        rows = self._collect_rows(trainer.world_size)
        self.num_pictures = len(rows)
        if self.folders and (stale := self._before.difference(row["picture"] for row in rows)):
            log.warning(
                "%s still holds files of %d other pictures of an earlier prediction, which are not in the new table",
                self.output,
                len(stale),
            )
        num_unreadable = self.num_unreadable
        if num_unreadable:
            log.warning("%d of %d pictures could not be read or answered: %s", num_unreadable, len(rows), self.table)
        self.finish([row for row in rows if not row["error"]], self.class_names)

    def tables(self, world_size: int) -> list[tuple[Path, int]]:
        """The tables of all processes and their numbers of pictures, during prediction or after it was stopped."""
        if not hasattr(self, "table"):
            return []
        tables = map(self._table_of, range(world_size))
        return [(table, len(read_rows(table))) for table in tables if table.is_file()]

    def place(self, picture: str, file: str) -> Path:
        """The path of a file of a picture below ``output``, in an existing folder.

        Raises:
            ConfigError: if the file would replace the picture itself.
        """
        path = self.output / file
        if path.resolve() == Path(picture).resolve():
            raise ConfigError(f"output {self.output}: {picture} would be overwritten; give another folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _table_of(self, rank: int) -> Path:
        return self.output / (f"rank_{rank}.{TABLE}" if rank else TABLE)

    def _collect_rows(self, world_size: int) -> list[dict[str, str]]:
        """Collects the rows of all processes in the first one's table."""
        rows: list[dict[str, str]] = []
        for rank in range(world_size):
            if not self._table_of(rank).is_file():
                raise ConfigError(
                    f"output {self.output}: the table of process {rank} is not there; give a folder that all machines "
                    "share"
                )
            rows += read_rows(self._table_of(rank))
            if rank:
                self._table_of(rank).unlink()
        for left_over in self.output.glob(f"rank_*.{TABLE}"):
            # Of an interrupted run.
            left_over.unlink()
        if world_size > 1:
            rows.sort(key=lambda row: row["picture"])
            write_rows(self._table_of(0), self.fields, rows)
        return rows


def _as_folder(name: str) -> str:
    return name if "*" in name else f"{name}/"


def _holds_files(output: Path, name: str) -> bool:
    return any(output.glob(name if "*" in name else f"{name}/*"))


def _pictures_in(table: Path) -> set[str]:
    """The pictures in the table of an earlier prediction that could be read."""
    return {row["picture"] for row in read_rows(table) if row.get("picture") and not row.get("error")}
