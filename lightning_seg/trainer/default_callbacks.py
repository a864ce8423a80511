"""The default callbacks of each subcommand."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import (
    BasePredictionWriter,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    ModelSummary,
)

from lightning_seg.callbacks import (
    WRITERS,
    ConfusionMatrixPlots,
    DataWait,
    PictureScoreWriter,
    PixelConfusionWriter,
    PredictionSamples,
    ReliabilityPlots,
    RunRecord,
    StochasticWeightAverage,
    ThresholdPlots,
)
from lightning_seg.callbacks.continued import BEST, LAST, RunCheckpoint, RunStopping
from lightning_seg.callbacks.hyper_parameters import HyperParameters
from lightning_seg.callbacks.learning_rates import LearningRates
from lightning_seg.callbacks.measured_step import MeasuredStep
from lightning_seg.callbacks.network_summary import NetworkSummary
from lightning_seg.callbacks.progress import EndOfProgress
from lightning_seg.callbacks.weight_average import WeightAverage, check_beside
from lightning_seg.errors import ConfigError
from lightning_seg.trainer.any_data import validates

log = logging.getLogger(__name__)


def add_defaults(own: Sequence[pl.Callback], defaults: Sequence[pl.Callback]) -> list[pl.Callback]:
    """The user's callbacks, and those defaults of which the user has given none of the same kind."""
    kinds = {_kind(callback) for callback in own}
    return [*own, *(default for default in defaults if _kind(default) not in kinds)]


def reporting(
    subcommand: str | None,
    task: pl.LightningModule,
    given: Mapping[str, Any],
    has_folder: bool,
    logs: bool,
    config: Mapping[str, Any],
) -> list[pl.Callback]:
    """What writes and draws results.

    Args:
        subcommand: of Lightning.
        task: what is trained or measured.
        given: the trainer's arguments.
        has_folder: whether anything of the run is kept.
        logs: whether there are loggers.
        config: all arguments, as a file holds them.
    """
    callbacks: list[pl.Callback] = [EndOfProgress()]
    own = given["callbacks"]
    if has_folder:
        callbacks += [RunRecord(), ThresholdPlots(), ConfusionMatrixPlots()]
    if subcommand == "test" and has_folder:
        callbacks += [PictureScoreWriter(), PixelConfusionWriter(), ReliabilityPlots()]
    if subcommand == "fit":
        callbacks.append(DataWait())
    if subcommand == "fit" and logs:
        callbacks += [] if any(isinstance(one, LearningRateMonitor) for one in own) else [LearningRates()]
        callbacks.append(HyperParameters(config))
    if subcommand in ("validate", "test"):
        callbacks.append(MeasuredStep())
    # Tasks say by it what is true of their pictures, and so what is drawn beside their answers.
    if subcommand == "fit" and has_folder and getattr(task, "truth", None) is not None:
        callbacks.append(PredictionSamples())
    if given["enable_model_summary"] is not False and not any(isinstance(one, ModelSummary) for one in own):
        callbacks.append(NetworkSummary(max_depth=3))
    return callbacks


def averaging(own: Sequence[pl.Callback], decay: float | None, start: float | None) -> list[pl.Callback]:
    """What averages the weights; nothing without a decay or a start.

    Raises:
        ConfigError: if both are given, or a callback of the user changes the weights in another way.
    """
    if decay is not None and start is not None:
        raise ConfigError(f"ema {decay} and swa {start} exclude each other; give one of them, and null for the other")
    asked = [WeightAverage(decay)] if decay is not None else []
    asked += [StochasticWeightAverage(start)] if start is not None else []
    for one in asked:
        check_beside(own, one.flag)
    return [*asked]


def prediction_writers(task: pl.LightningModule, output: Path, own: Sequence[pl.Callback]) -> list[pl.Callback]:
    """What writes the predictions of this kind of task; of modules of the user's own nobody knows what they are."""
    writer = WRITERS.get(getattr(task, "prediction", object))
    if writer is not None:
        return [writer(output)]
    if not any(isinstance(one, BasePredictionWriter) for one in own):
        log.warning(
            "nothing writes what %s predicts; give trainer.callbacks a BasePredictionWriter of yours, unless its "
            "predict_step writes itself",
            type(task).__name__,
        )
    return []


def monitoring(
    task: pl.LightningModule, data: pl.LightningDataModule, given: Mapping[str, Any], patience: int | None
) -> list[pl.Callback]:
    """What keeps checkpoints, and what stops early.

    Args:
        task: what is trained; its ``monitor``, if it has one, is a metric and ``min`` or ``max``.
        data: what it is trained on.
        given: the trainer's arguments.
        patience: how many validations without a better one stop the training; None goes to the end.

    Raises:
        ConfigError: if nothing validates or is monitored, or the user stops early already.
    """
    metric, mode = _monitor_of(task)
    if patience is not None and metric is None:
        raise ConfigError(
            f"early_stopping: {type(task).__name__} does not say what to watch; give it monitor = ('val_loss', 'min')"
        )
    # Without validation the newest checkpoint is as good as any.
    is_validated = metric is not None and validates(data)
    if patience is not None and not is_validated:
        raise ConfigError(
            "early_stopping needs pictures to validate on; give --data.val_fraction above 0, or data of your own a "
            "val_dataloader"
        )
    if patience is not None and any(isinstance(callback, EarlyStopping) for callback in given["callbacks"]):
        raise ConfigError("early_stopping and an EarlyStopping among trainer.callbacks; leave one of them out")
    stopping = [] if patience is None or metric is None else [RunStopping(metric, mode=mode, patience=patience)]
    if given["enable_checkpointing"] is False or given["barebones"]:
        return [*stopping]
    # One file each that is replaced, not best-v1.ckpt beside it.
    best = RunCheckpoint(
        filename=BEST,
        monitor=metric if is_validated else None,
        # Lightning tells callbacks apart by it, and by nothing else here.
        mode=mode if is_validated else "max",
        enable_version_counter=False,
        # With one validation at the end of each epoch: not before all numbers of the epoch are known.
        save_on_train_epoch_end=None if is_validated else True,
    )
    # Lightning's own save_last writes only when there is a new best.
    last = RunCheckpoint(filename=LAST, enable_version_counter=False, save_on_train_epoch_end=True)
    return [best, last, *stopping]


def _monitor_of(task: pl.LightningModule) -> tuple[str | None, str]:
    """The metric by which the best checkpoint is chosen, and which way is better."""
    monitor: Any = getattr(task, "monitor", (None, "max"))
    if not (isinstance(monitor, tuple) and len(monitor) == 2 and monitor[1] in ("min", "max")):
        raise ConfigError(
            f"monitor of {type(task).__name__} is {monitor!r}; give a metric and which way is better, for instance "
            "('val_loss', 'min')"
        )
    return monitor


def _kind(callback: pl.Callback) -> tuple[type[pl.Callback], str | None]:
    """Identity of a kind of callback; checkpoints differ by their file, since ``--run`` relies on best and last."""
    if isinstance(callback, ModelCheckpoint):
        return ModelCheckpoint, callback.filename
    return (EarlyStopping if isinstance(callback, EarlyStopping) else type(callback)), None
