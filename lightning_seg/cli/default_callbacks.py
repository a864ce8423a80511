"""The default callbacks of each subcommand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, ModelSummary

from lightning_seg.callbacks import (
    BoxWriter,
    ConfusionMatrixPlots,
    DataWait,
    LabelWriter,
    MaskWriter,
    PictureScoreWriter,
    PredictionSamples,
    PredictionWriter,
    RunRecord,
    ThresholdPlots,
)
from lightning_seg.callbacks.continued import LAST, RunCheckpoint, RunStopping
from lightning_seg.callbacks.network_summary import NetworkSummary
from lightning_seg.callbacks.progress import EndOfProgress
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask
from lightning_seg.tasks.supervised import SupervisedTask


def add_defaults(own: Sequence[pl.Callback], defaults: Sequence[pl.Callback]) -> list[pl.Callback]:
    """The user's callbacks, and those defaults of which the user has given none of the same kind."""
    kinds = {_kind(callback) for callback in own}
    return [*own, *(default for default in defaults if _kind(default) not in kinds)]


def reporting(
    subcommand: str | None, task: pl.LightningModule, given: Mapping[str, Any], logs: bool
) -> list[pl.Callback]:
    """Callbacks that write and draw results.

    Args:
        subcommand: of Lightning.
        task: the task that is trained or measured.
        given: the trainer's arguments.
        logs: whether there is a run folder.
    """
    callbacks: list[pl.Callback] = [EndOfProgress()]
    if logs:
        callbacks += [RunRecord(), ThresholdPlots(), ConfusionMatrixPlots()]
    if subcommand == "test" and logs:
        callbacks.append(PictureScoreWriter())
    if subcommand == "fit":
        callbacks.append(DataWait())
    if subcommand == "fit" and logs:
        callbacks.append(LearningRateMonitor("step"))
        if isinstance(task, SupervisedTask):
            callbacks.append(PredictionSamples())
    own = given["callbacks"] or []
    if given["enable_model_summary"] is not False and not any(isinstance(one, ModelSummary) for one in own):
        callbacks.append(NetworkSummary(max_depth=3))
    return callbacks


def prediction_writer(task: pl.LightningModule, output: Path) -> PredictionWriter:
    """The writer for predictions of this kind of task."""
    if isinstance(task, SlidingDetectorTask):
        return BoxWriter(output)
    return LabelWriter(output) if isinstance(task, ClassificationTask) else MaskWriter(output)


def monitoring(
    task: SupervisedTask, data: pl.LightningDataModule, given: Mapping[str, Any], patience: int | None
) -> list[pl.Callback]:
    """Callbacks that save checkpoints and stop early.

    Args:
        task: the task that is trained.
        data: its data.
        given: the trainer's arguments.
        patience: number of validations without improvement that stop the training; None trains to the end.

    Raises:
        ConfigError: if nothing validates, or the user stops early already.
    """
    metric, mode = task.monitor
    # Without validation the newest checkpoint is as good as any.
    validates = getattr(data, "validates", True)
    if patience is not None and not validates:
        raise ConfigError("early_stopping needs pictures to validate on; give --data.val_fraction above 0")
    if patience is not None and any(isinstance(callback, EarlyStopping) for callback in given["callbacks"] or []):
        raise ConfigError("early_stopping and an EarlyStopping among trainer.callbacks; leave one of them out")
    stopping = [] if patience is None else [RunStopping(metric, mode=mode, patience=patience)]
    if given["enable_checkpointing"] is False:
        return [*stopping]
    # One file each that is replaced, not best-v1.ckpt beside it.
    best = RunCheckpoint(
        filename="best",
        monitor=metric if validates else None,
        # Lightning tells callbacks apart by it, and by nothing else here.
        mode=mode if validates else "max",
        enable_version_counter=False,
        # With one validation at the end of each epoch: not before all numbers of the epoch are known.
        save_on_train_epoch_end=None if validates else True,
    )
    # Lightning's own save_last writes only when there is a new best.
    last = RunCheckpoint(filename=LAST, enable_version_counter=False, save_on_train_epoch_end=True)
    return [best, last, *stopping]


def _kind(callback: pl.Callback) -> tuple[type[pl.Callback], str | None]:
    """Identity of a kind of callback; checkpoints differ by their file, since ``--run`` relies on best and last."""
    if isinstance(callback, ModelCheckpoint):
        return ModelCheckpoint, callback.filename
    return (EarlyStopping if isinstance(callback, EarlyStopping) else type(callback)), None
