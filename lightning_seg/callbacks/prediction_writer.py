"""Writing predictions as files and as rows of a table, batch by batch."""

import logging
from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter

from lightning_seg.batch import PictureBatch, PredictedBatch
from lightning_seg.callbacks.plot_formats import formats_of
from lightning_seg.callbacks.split_plots import class_names
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array, read_image
from lightning_seg.prediction_files import Pictured, PredictionFiles
from lightning_seg.prediction_folder import TABLE
from lightning_seg.tables import read_rows, write_rows
from lightning_seg.tasks.batches import described
from lightning_seg.tasks.pictures import picture_batch

log = logging.getLogger(__name__)
NO_NUMBER = "the network's answer is no number (NaN or infinite); give --trainer.precision 32-true, or another run"


class PredictionWriter(BasePredictionWriter, ABC):
    """Base of the writers of all kinds of predictions: when ``PredictionFiles`` are written, and by which process.

    Args:
        files: what is written.
    """

    def __init__(self, files: PredictionFiles[Any]) -> None:
        super().__init__(write_interval="batch")
        self.files = files
        self.num_pictures = 0

    @property
    def output(self) -> Path:
        return self.files.output

    @property
    def num_unreadable(self) -> int:
        """Of all processes, from the table; also for a process that only started the others and predicted nothing."""
        return self.files.num_unreadable

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.files.plots = formats_of(trainer)
        if trainer.is_global_zero:
            self.files.prepare()
        trainer.strategy.barrier()
        names = class_names(pl_module)
        # Modules of the user's own have labels alone.
        reported = getattr(pl_module, "reported_names", None)
        self.files.begin(names, names if reported is None else reported(), trainer.global_rank)

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
        for position, one in enumerate(prediction["predictions"]):
            rows.append(self.files.row_of(_pictured(batch, position), one.as_arrays()))
        for path, reason in prediction["unreadable"]:
            rows.append(self.files.unreadable_row(path, reason))
        rows.sort(key=lambda row: batch["files"].index(row["picture"]))
        self.files.append(rows)

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.strategy.barrier()
        if not trainer.is_global_zero:
            return
        rows = self._collect_rows(trainer.world_size)
        self.num_pictures = len(rows)
        self.files.end(rows)

    def tables(self, world_size: int) -> dict[Path, int]:
        """The tables of all processes and their numbers of pictures, during prediction or after it was stopped."""
        if not hasattr(self.files, "table"):
            return {}
        tables = map(self.files.table_of, range(world_size))
        return {table: len(read_rows(table)) for table in tables if table.is_file()}

    def _collect_rows(self, world_size: int) -> list[dict[str, str]]:
        """Collects the rows of all processes in the first one's table."""
        rows: list[dict[str, str]] = []
        for rank in range(world_size):
            table = self.files.table_of(rank)
            if not table.is_file():
                raise ConfigError(
                    f"output {self.output}: the table of process {rank} is not there; give a folder that all machines "
                    "share"
                )
            rows += read_rows(table)
            if rank:
                table.unlink()
        for left_over in self.output.glob(f"rank_*.{TABLE}"):
            # Of an interrupted run.
            left_over.unlink()
        if world_size > 1:
            rows.sort(key=lambda row: row["picture"])
            write_rows(self.files.table_of(0), self.files.fields, rows)
        return rows


def tint_backgrounds(callbacks: Sequence[pl.Callback], tint_background: bool) -> None:
    """Let the writers among the callbacks darken the background of overlays, or leave it as it is."""
    for callback in callbacks:
        if isinstance(callback, PredictionWriter):
            callback.files.tint_background = tint_background


def _pictured(batch: PictureBatch, position: int) -> Pictured:
    size, image = tuple(batch["original_size"][position]), batch["image"][position]

    def read() -> Array:
        if tuple(image.shape[1:]) == size:
            pixels: Array = image.permute(1, 2, 0).cpu().numpy()
            return pixels
        # The model saw another size.
        return read_image(batch["path"][position])

    return Pictured(batch["path"][position], batch["name"][position], (size[0], size[1]), read)
