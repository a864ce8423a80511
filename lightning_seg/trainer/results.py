"""The results that a command has written."""

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.callbacks import PredictionWriter
from lightning_seg.trainer.run_folder import run_folder_of


def written_to(trainer: pl.Trainer) -> Path | None:
    """The folder with the results, as far as this process knows it, and if anything was written."""
    if trainer.state.fn == "predict":
        return next((Path(writer.output) for writer in prediction_writers_of(trainer)), None)
    folder = run_folder_of(trainer)
    return folder if folder is not None and folder.is_dir() else None


def prediction_writers_of(trainer: pl.Trainer) -> list[PredictionWriter]:
    callbacks: Sequence[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return [callback for callback in callbacks if isinstance(callback, PredictionWriter)]
