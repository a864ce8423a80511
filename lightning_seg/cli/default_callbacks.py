"""The callbacks that a subcommand adds to those of the user."""

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
from lightning_seg.callbacks.continued import BEST, LAST, RunCheckpoint, RunStopping
from lightning_seg.callbacks.network_summary import NetworkSummary
from lightning_seg.callbacks.progress import EndOfProgress
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask
from lightning_seg.tasks.supervised import SupervisedTask


def add_defaults(own: Sequence[pl.Callback], defaults: Sequence[pl.Callback]) -> list[pl.Callback]:
    """The user's callbacks, and the defaults of which the user has given none of the same kind."""
    kinds = {_kind(callback) for callback in own}
    return [*own, *(default for default in defaults if _kind(default) not in kinds)]


def reporting(
    subcommand: str | None, task: pl.LightningModule, given: Mapping[str, Any], has_folder: bool, logs: bool
) -> list[pl.Callback]:
    """What writes and draws results.

    Args:
        subcommand: of Lightning.
        task: what is trained or measured.
        given: the trainer's arguments.
        has_folder: whether anything of the run is kept.
        logs: whether there are loggers.
    """
    callbacks: list[pl.Callback] = [EndOfProgress()]
    if has_folder:
        callbacks += [RunRecord(), ThresholdPlots(), ConfusionMatrixPlots()]
    if subcommand == "test" and has_folder:
        callbacks.append(PictureScoreWriter())
    if subcommand == "fit":
        callbacks.append(DataWait())
    if subcommand == "fit" and logs:
        callbacks.append(LearningRateMonitor("step"))
    if subcommand == "fit" and has_folder and isinstance(task, SupervisedTask):
        callbacks.append(PredictionSamples())
    own = given["callbacks"]
    if given["enable_model_summary"] is not False and not any(isinstance(one, ModelSummary) for one in own):
        callbacks.append(NetworkSummary(max_depth=3))
    return callbacks


def prediction_writer(task: pl.LightningModule, output: Path) -> PredictionWriter:
    """What writes the predictions of this kind of task."""
    if isinstance(task, SlidingDetectorTask):
        return BoxWriter(output)
    return LabelWriter(output) if isinstance(task, ClassificationTask) else MaskWriter(output)


def monitoring(
    task: SupervisedTask, data: pl.LightningDataModule, given: Mapping[str, Any], patience: int | None
) -> list[pl.Callback]:
    """What keeps checkpoints, and what stops early.

    Args:
        task: what is trained.
        data: what it is trained on.
        given: the trainer's arguments.
        patience: how many validations without a better one stop the training; None goes to the end.

    Raises:
        ConfigError: if nothing validates, or the user stops early already.
    """
    metric, mode = task.monitor
    # Without validation the newest checkpoint is as good as any.
    validates = getattr(data, "validates", True)
    if patience is not None and not validates:
        raise ConfigError("early_stopping needs pictures to validate on; give --data.val_fraction above 0")
    if patience is not None and any(isinstance(callback, EarlyStopping) for callback in given["callbacks"]):
        raise ConfigError("early_stopping and an EarlyStopping among trainer.callbacks; leave one of them out")
    stopping = [] if patience is None else [RunStopping(metric, mode=mode, patience=patience)]
    if given["enable_checkpointing"] is False or given["barebones"]:
        return [*stopping]
    # One file each that is replaced, not best-v1.ckpt beside it.
    best = RunCheckpoint(
        filename=BEST,
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
    """One of a kind is enough; checkpoints differ by their file, since ``--run`` relies on best and last."""
    if isinstance(callback, ModelCheckpoint):
        return ModelCheckpoint, callback.filename
    return (EarlyStopping if isinstance(callback, EarlyStopping) else type(callback)), None
