"""The average of the weights that a training passes through, which is validated and kept in place of the newest."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelPruning, StochasticWeightAveraging, WeightAveraging
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lightning_seg.errors import ConfigError
from lightning_seg.tasks.health import learned
from lightning_seg.tasks.processes import share_statistics
from lightning_seg.tasks.resuming import TRAINED

log = logging.getLogger(__name__)
OTHERS = (WeightAveraging, StochasticWeightAveraging, ModelPruning)
"""Callbacks that change the weights in another way."""


def check_decay(decay: float) -> None:
    """Raises ConfigError for a decay outside of [0, 1)."""
    if not 0 <= decay < 1:
        raise ConfigError(
            f"ema {decay} is not from 0 to below 1; 0.999 averages about the last 1,000 steps, 0.99 about 100"
        )


def check_beside(callbacks: Sequence[pl.Callback], flag: str = "ema") -> None:
    """Raises ConfigError for callbacks of the user that change the weights in another way than the flag."""
    for callback in callbacks:
        if isinstance(callback, OTHERS):
            raise ConfigError(f"{flag} and {type(callback).__name__} among trainer.callbacks; leave one of them out")


def decay_after(number: int, decay: float) -> float:
    """The decay of the next step, after this number of averaged steps: 0, 2/11, 3/12, 4/13, ... up to ``decay``.

    An average over 1,000 steps is mostly the random weights of the beginning in a training of 200. So it is over about
    the last ninth of the steps at first.
    """
    return min(decay, (1 + number) / (10 + number)) if number else 0.0


class AveragedTask(AveragedModel):
    """The average of a task's parameters and of the statistics of its normalising layers; other buffers are the newest.

    Args:
        task: what trains.
        decay: see ``decay_after``.
        device: where the average is kept.
    """

    def __init__(self, task: pl.LightningModule, decay: float, device: torch.device) -> None:
        super().__init__(task, device, use_buffers=True)
        # It is asked at every step, which must not wait for the device.
        self.n_averaged = self.n_averaged.cpu()
        self.decay = decay

    def decay_after(self, number: int) -> float:
        """Share of the average that the next update leaves as it is, after this number of updates."""
        return decay_after(number, self.decay)

    @torch.no_grad()
    def update_parameters(self, model: torch.nn.Module) -> None:
        number = int(self.n_averaged)
        averages, newest = learned(self.module), learned(model)
        average = get_ema_multi_avg_fn(self.decay_after(number))  # type: ignore[no-untyped-call]
        average([*averages.values()], [newest[name] for name in averages], number)
        for (name, buffer), current in zip(self.module.named_buffers(), model.buffers(), strict=True):
            # torch would average counts and infinite constants, too.
            if name not in averages:
                buffer.copy_(current)
        self.n_averaged += 1


class WeightAverage(WeightAveraging):
    """Lightning's averaging with a decay that grows in the first steps.

    From the beginning of a validation to its end, and after the training, the module has the averaged weights, also
    where there was nothing left to train or Ctrl-C has ended it. A checkpoint holds them as ``state_dict``, and the
    trained ones, from which the training goes on, beside them.

    Args:
        decay: share of the average that a step leaves as it is, once the training is long enough, see ``decay_after``.

    Raises:
        ConfigError: at the beginning of the training, if the weights are divided among processes or have 16 bits.
    """

    flag = "ema"
    """What asks for it on the command line; a run says by it whose numbers it has."""

    def __init__(self, decay: float) -> None:
        check_decay(decay)
        super().__init__()
        self.decay = decay
        self.is_in_place = False
        """Whether the module has the averaged weights now, and the average the trained ones."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        # Lightning would keep the average on the CPU: nothing is on its device before the setup ends.
        if stage != "fit":
            return
        _check_trainer(trainer, self.flag)
        if is_overridden("configure_model", pl_module):
            pl_module.configure_model()
        self._average_model = self.make_average(pl_module, trainer.strategy.root_device)
        self.is_in_place = False

    def make_average(self, pl_module: pl.LightningModule, device: torch.device) -> AveragedModel:
        """What averages, before the first step."""
        return AveragedTask(pl_module, self.decay, device)

    @property
    def value(self) -> float:
        """Of the flag."""
        return self.decay

    @property
    def number_averaged(self) -> int:
        """How often the weights were averaged, 0 before the training."""
        return 0 if self._average_model is None else int(self._average_model.n_averaged)

    def average_now(self, pl_module: pl.LightningModule) -> None:
        """Take the module's weights, which are the trained ones, into the average."""
        assert self._average_model is not None
        self._average_model.update_parameters(pl_module)

    @contextmanager
    def in_place(self, pl_module: pl.LightningModule) -> Iterator[None]:
        """The averaged weights in the module, as in a validation."""
        self._put(pl_module, True)
        try:
            yield
        finally:
            self._put(pl_module, False)

    def _put(self, pl_module: pl.LightningModule, average: bool) -> None:
        if self._average_model is not None and self.is_in_place != average:
            self._swap_models(pl_module)
            self.is_in_place = average

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._put(pl_module, True)
            # Statistics are averaged by every process alone.
            share_statistics(trainer)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """What is drawn after the validation is drawn by the weights that were validated."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self._put(pl_module, False)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Lightning's copy would lose the trained weights, and with them what a later checkpoint goes on from.
        self._put(pl_module, True)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # A fit that goes on from its own end begins no training, so no training ends.
        self._put(pl_module, True)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        # After other errors a device may not answer any more.
        if trainer.state.fn == "fit" and isinstance(exception, KeyboardInterrupt):
            self._put(pl_module, True)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        if self._average_model is None:
            return
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self.is_in_place:
            checkpoint["state_dict"], checkpoint[TRAINED] = checkpoint[TRAINED], checkpoint["state_dict"]

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        if trainer.state.fn != "fit":
            # Lightning would put the trained weights in place of those that are tested.
            return
        if TRAINED not in checkpoint:
            log.warning("the checkpoint has no averaged weights, so the average begins with its weights")
            self._average_model = self.make_average(pl_module, trainer.strategy.root_device)
        elif self.state_key not in checkpoint.get("callbacks", {}):
            reason = "the checkpoint has weights that were averaged in another way"
            self.begin_with_trained(trainer, pl_module, checkpoint, reason)
        else:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)

    def begin_with_trained(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any, why: str) -> None:
        """Go on from the trained weights beside the averages of a checkpoint; a new average begins."""
        log.warning("%s; %s goes on from the trained ones", why, self.flag)
        pl_module.load_state_dict(checkpoint[TRAINED])
        # Where nothing is left to train, the module has the average in the end.
        self._average_model = self.make_average(pl_module, trainer.strategy.root_device)


def _check_trainer(trainer: pl.Trainer, flag: str) -> None:
    if not isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy):
        raise ConfigError(
            f"{flag} does not work with {type(trainer.strategy).__name__}, which divides the weights among processes; "
            "give --trainer.strategy ddp, or leave it out"
        )
    if trainer.precision in ("16-true", "bf16-true"):
        raise ConfigError(
            f"{flag} needs weights of 32 bits, since those of {trainer.precision} do not change by a thousandth; give "
            f"--trainer.precision {trainer.precision.replace('true', 'mixed')}"
        )


def averaging_of(trainer: pl.Trainer) -> WeightAverage | None:
    """The callback that averages; None if there is none."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((callback for callback in callbacks if isinstance(callback, WeightAverage)), None)


@contextmanager
def averaged(trainer: pl.Trainer) -> Iterator[None]:
    """The averaged weights in the module, where there are any."""
    average = averaging_of(trainer)
    if average is None:
        yield
        return
    with average.in_place(trainer.lightning_module):
        yield
