"""The numbers and curves of a run, beside checkpoints and logs."""

import hashlib
import platform
import statistics
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torchvision
from pytorch_lightning.callbacks import WeightAveraging

import lightning_seg
from lightning_seg.callbacks.continued import best_checkpoint
from lightning_seg.callbacks.csv_logger import ContinuedCSVLogger
from lightning_seg.callbacks.epoch_record import (
    EpochRecord,
    add_numbers,
    complete,
    draw,
    epochs_trained,
    has_ended,
    remember,
)
from lightning_seg.callbacks.left_out import count_left_out, list_left_out
from lightning_seg.callbacks.plot_formats import formats_of
from lightning_seg.callbacks.stochastic_weight_average import StochasticWeightAverage
from lightning_seg.callbacks.tested_checkpoint import tested_checkpoint
from lightning_seg.callbacks.weight_average import WeightAverage, averaging_of
from lightning_seg.run_files import BEST, LOSS, MODE, STOPPED_EARLY
from lightning_seg.tasks.resuming import TRAINED

EMA, SWA = WeightAverage.flag, StochasticWeightAverage.flag
"""Keys of how weights were averaged, if those of validation and test are."""


class RunRecord(pl.Callback):
    """Writes ``metrics.json`` (flat keys, the last value of every metric) and ``curves.png`` into the run folder.

    Both are updated after every epoch; validation and test add their values. ``seconds_per_epoch`` is the median over
    the epochs since the last start, with validation and drawing. ``initial_weights`` is equal for runs with the same
    initial weights. A checkpoint remembers the numbers of its epoch; if they were not written, the continued run writes
    them.

    Args:
        quantities: the curves, each for training and validation; None takes the task's own choice.
    """

    def __init__(self, quantities: tuple[str, ...] | None = None) -> None:
        self.quantities = quantities
        self.seconds: list[float] = []
        self.started: float | None = None
        self.restored: EpochRecord = {}
        self.averaged_before: tuple[str, ...] = ()
        """The key that says how the weights of the checkpoint that is continued were averaged, if they were."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        parameters = list(pl_module.parameters())
        trainable = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
        counts = {"parameters": sum(map(torch.numel, parameters)), "trainable_parameters": trainable}
        # A continued run has restored its weights by now.
        initial = {"initial_weights": weights_digest(pl_module)} if trainer.ckpt_path is None else {}
        known = {**counts, **initial, **versions(), **loss_is(pl_module)}
        _add(trainer, {**known, **count_left_out(trainer), **self._weights_measured(trainer)})
        log_dir = trainer.log_dir
        if log_dir is not None and trainer.is_global_zero:
            list_left_out(trainer, Path(log_dir))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Here and not when the epoch ends: the module logs its training metrics after the callbacks' turn.
        self._update(trainer)
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # An epoch that goes on from its middle has no beginning here.
        if self.started is not None:
            self.seconds.append(time.perf_counter() - self.started)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._update(trainer)
        if _ended_early(trainer):
            _add(trainer, {STOPPED_EARLY: trainer.fit_loop.epoch_progress.current.completed})

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "validate":
            _add(trainer, _plain(trainer.callback_metrics))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        _add(trainer, _plain(trainer.callback_metrics) | tested_checkpoint(trainer))

    def _weights_measured(self, trainer: pl.Trainer) -> dict[str, float | None]:
        """Whose numbers those of validation and test are: ``ema`` is the decay of averaged weights, ``swa`` the share
        of the epochs after which their mean begins.
        """
        average = averaging_of(trainer)
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        goes_on = average is None and any(isinstance(callback, WeightAveraging) for callback in callbacks)
        before: dict[str, float | None] = {} if goes_on else dict.fromkeys(self.averaged_before)
        return before if average is None else {**before, average.flag: average.value}

    # Continuing

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        key = SWA if StochasticWeightAverage.__qualname__ in checkpoint.get("callbacks", {}) else EMA
        self.averaged_before = (key,) if TRAINED in checkpoint else ()

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        if has_ended(trainer):
            record = remember(trainer, self._numbers(trainer), self._curves(pl_module))
            checkpoint["callbacks"][self.state_key] = record

    def load_state_dict(self, state_dict: EpochRecord) -> None:
        self.restored = state_dict

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        # Other tables are begun anew.
        continued = not trainer.loggers or any(isinstance(logger, ContinuedCSVLogger) for logger in trainer.loggers)
        if trainer.ckpt_path is None or log_dir is None or not continued or not trainer.is_global_zero:
            return
        # Those of the middle of an epoch, or of an earlier version, remember nothing.
        step = max(trainer.global_step, trainer.fit_loop.epoch_loop._batches_that_stepped)
        loop = trainer.fit_loop
        validates = ["val"] if loop.epoch_loop.val_loop.restarted_mid_evaluation else []
        to_come = ["train", *validates] if loop.restarted_mid_epoch else []
        curves = list(self._curves(pl_module))
        nothing = {"next_step": step, "to_come": to_come, "row": {}, "numbers": {}, "curves": curves}
        if complete(Path(log_dir), self.restored or nothing, formats_of(trainer)):
            row = dict(self.restored["row"])
            step = row.pop("step")
            for logger in trainer.loggers:
                if not isinstance(logger, ContinuedCSVLogger):
                    logger.log_metrics(row, step)

    # Writing

    def _numbers(self, trainer: pl.Trainer) -> dict[str, Any]:
        """Numbers of the epochs so far."""
        values = _plain(trainer.callback_metrics)
        if self.seconds:
            values["seconds_per_epoch"] = round(statistics.median(self.seconds), 3)
        values["epochs"] = epochs_trained(trainer)
        checkpoint = best_checkpoint(trainer)
        if checkpoint is not None and checkpoint.best_model_score is not None:
            values |= {f"{BEST}{checkpoint.monitor}": checkpoint.best_model_score.item(), MODE: checkpoint.mode}
        return values

    def _curves(self, pl_module: pl.LightningModule) -> tuple[str, ...]:
        chosen: tuple[str, ...] = self.quantities or tuple(getattr(pl_module, "curves", ("loss",)))
        return chosen

    def _update(self, trainer: pl.Trainer) -> None:
        if not self.seconds:
            return
        _add(trainer, self._numbers(trainer))
        log_dir = trainer.log_dir
        if log_dir is None or not trainer.is_global_zero:
            return
        for logger in trainer.loggers:
            logger.save()
        draw(Path(log_dir), list(self._curves(trainer.lightning_module)), formats_of(trainer))


def _ended_early(trainer: pl.Trainer) -> bool:
    """Whether a callback ended it, such as early stopping or a limit of time; an error or a signal does not count."""
    epochs, steps = trainer.max_epochs, trainer.max_steps
    all_epochs = epochs is not None and 0 <= epochs <= trainer.fit_loop.epoch_progress.current.completed
    return not all_epochs and not 0 <= steps <= trainer.global_step


def loss_is(pl_module: pl.LightningModule) -> dict[str, str]:
    """Which parts the loss has, by its key in ``metrics.json``; nothing of losses of the user's own modules."""
    losses_of = getattr(pl_module, "losses_of", None)
    weights = {} if losses_of is None else losses_of("train").weights
    parts = [name if weight == 1 else f"{weight:g} {name}" for name, weight in weights.items()]
    return {LOSS: " + ".join(parts)} if parts else {}


def weights_digest(module: torch.nn.Module) -> str:
    """Sixteen digits that differ between networks with different weights; names do not count."""
    digest = hashlib.sha256()
    network = getattr(module, "model", module)
    for tensor in network.state_dict().values():
        digest.update(str(tuple(tensor.shape)).encode())
        # numpy knows fewer types than torch.
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of the libraries behind the numbers."""
    return {
        "version/lightning_seg": lightning_seg.__version__,
        "version/python": platform.python_version(),
        "version/torch": torch.__version__,
        "version/torchvision": torchvision.__version__,
        "version/pytorch_lightning": version("pytorch-lightning"),
    }


def _plain(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(value) for name, value in metrics.items()}


def _add(trainer: pl.Trainer, values: Mapping[str, Any]) -> None:
    log_dir = trainer.log_dir  # asks all processes, so it stands before the return
    if log_dir is None or not trainer.is_global_zero:
        return
    add_numbers(Path(log_dir), values)
