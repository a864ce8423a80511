"""Lightning's trainer, with one folder per run."""

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint, SpikeDetection


class RunTrainer(pl.Trainer):
    """Writes what is of a run into the folder of the run, whatever the loggers."""

    run_folder: Path | None = None
    """Where results go; None where nothing of the run is kept, and in processes that have not been told."""

    @property
    def log_dir(self) -> str | None:
        """The folder of the run, as Lightning has that of the first logger. All processes have to ask."""
        if self.run_folder is None:
            # Lightning asks the first process, too.
            return super().log_dir
        folder: str = self.strategy.broadcast(str(self.run_folder))
        return folder


class FilesInRunFolder(pl.Callback):
    """What callbacks of Lightning write without being told where goes into the folder of the run.

    Lightning takes the names of the first logger for it, which are those of an experiment and not of a folder. In other
    processes than the first the folder is not known; they are told by Lightning itself.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        folder = run_folder_of(trainer)
        if folder is None:
            return
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
                callback.dirpath = str(folder / "checkpoints")
            if isinstance(callback, SpikeDetection) and callback.exclude_batches_path is None:
                callback.exclude_batches_path = str(folder / "skip_batches.json")


def run_folder_of(trainer: pl.Trainer) -> Path | None:
    """The folder of the run, as far as this process knows it; asks no other."""
    return trainer.run_folder if isinstance(trainer, RunTrainer) else None
