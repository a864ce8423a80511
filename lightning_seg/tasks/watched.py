"""A module that notices when its training goes wrong, with any trainer."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor

from lightning_seg.errors import ConfigError, TrainingError, UserError, WeightsError
from lightning_seg.tasks.health import LAST, LossWatch, describe_weights, hold_no_numbers, learned
from lightning_seg.tasks.processes import share_statistics

log = logging.getLogger(__name__)
OnNaN = Literal["stop", "warn"]


class WatchedModule(pl.LightningModule):
    """Watches its losses and weights.

    A step only counts, on its device. The counts are read together with the weights every ``log_every_n_steps``, at the
    end of each epoch and before a checkpoint is written; all processes read and decide alike. Gradients are not
    watched: with 16 bits it is usual that some are infinite and their step is skipped.
    """

    on_nan: OnNaN
    """If something is no number: ``stop`` raises an error before any of it is saved; ``warn`` says it once and
    continues, but saves no best checkpoint. Never part of a checkpoint.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_nan = "stop"
        self.is_validated = True
        """Whether the newest validation has valid values, which may choose a checkpoint."""
        self._losses = LossWatch()
        self._said: set[str] = set()

    def setup(self, stage: str) -> None:
        if self.on_nan not in get_args(OnNaN):
            raise ConfigError(f"on_nan {self.on_nan!r} does not exist; choose {' or '.join(get_args(OnNaN))}")
        self._said, self.is_validated = set(), True

    # Before anything is computed

    def on_fit_start(self) -> None:
        # Those of a checkpoint are restored by now, and nothing of a continued run is replaced yet.
        self._check_given_weights()
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                keep_sound(callback)

    def on_train_start(self) -> None:
        # The search for a learning rate may have left something behind.
        self._losses = LossWatch()

    def on_validation_start(self) -> None:
        if self.trainer.state.fn == "validate":
            self._check_given_weights()
        elif not self.trainer.sanity_checking:
            # What went wrong in training is not blamed on validation.
            self.look()
        share_statistics(self.trainer)

    def on_test_start(self) -> None:
        self._check_given_weights()

    def on_predict_start(self) -> None:
        if problem := describe_weights(self):
            raise self._refused(problem)

    def _check_given_weights(self) -> None:
        if problem := describe_weights(self):
            self.report("given weights", self._refused(problem))

    def _refused(self, problem: str) -> WeightsError:
        return refused_weights(self.trainer.ckpt_path or "the weights", problem)

    # While it trains

    def on_before_backward(self, loss: Tensor) -> None:
        self._losses.add(loss, self.trainer.global_step)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and (batch_idx + 1) % every == 0:
            self.look()

    def on_train_epoch_end(self) -> None:
        self.look()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The saved weights may be an average of the trained ones, so they are checked too."""
        state = checkpoint.get("state_dict", {})
        self.look([state[name] for name in learned(self) if name in state])

    def look(self, weights: Iterable[Tensor] | None = None) -> bool:
        """Read the counts, and check that the weights are numbers; all processes have to call it.

        Args:
            weights: the weights to check; None checks the trained ones.

        Returns:
            Whether the weights are numbers.

        Raises:
            TrainingError: if they are not, or a loss was not, and ``on_nan`` is ``stop``.
        """
        is_bad = hold_no_numbers(learned(self).values() if weights is None else weights)
        counts = torch.stack([self._losses.earliest.to(self.device), is_bad.to(self.device, torch.int64)])
        # The only place where the device is waited for.
        earliest, num_bad = self.trainer.strategy.reduce(counts, reduce_op="max").tolist()
        if earliest:
            since = f"since step {LAST - earliest} of epoch {self.current_epoch}"
            self.report("loss", self.gone_wrong(f"the training loss is no number (NaN or infinite) {since}"))
        if num_bad:
            problem = describe_weights(self) or "the weights hold no numbers (NaN or infinite)"
            self.report("weights", self.gone_wrong(f"{problem}, after step {self.trainer.global_step}"))
        return not num_bad

    def report(self, kind: str, error: UserError) -> None:
        """Raises the error, or logs it once for each kind of finding, depending on ``on_nan``."""
        if self._is_tuning():
            return
        if self.on_nan == "stop":
            raise error
        if kind not in self._said:
            self._said.add(kind)
            warn(str(error))

    def _is_tuning(self) -> bool:
        """Whether a learning rate is searched for, which drives the loss up until it breaks."""
        callbacks: list[pl.Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        return any(
            getattr(callback, "drives_the_loss_up", False) or type(callback).__name__ == "_LRCallback"
            for callback in callbacks
        )

    def gone_wrong(self, problem: str) -> TrainingError:
        """The error about a training, with remedies and what is kept."""
        stops = f"{describe_kept(self.trainer)}; --on_nan warn would go on"
        outcome = stops if self.on_nan == "stop" else "no best checkpoint is made of it"
        return TrainingError(f"{problem}; give {self._remedies()}; {outcome}")

    def _remedies(self) -> str:
        rate = self.hparams.get("lr")
        remedies = [f"a lower --model.lr than {rate:g}" if isinstance(rate, float) else "a lower learning rate"]
        if self.trainer.gradient_clip_val is None:
            remedies.append("--trainer.gradient_clip_val 1")
        if "16" in self.trainer.precision:
            remedies.append(f"--trainer.precision 32-true in place of {self.trainer.precision}")
        return f"{', '.join(remedies)}, or look for broken pictures and labels"


@rank_zero_only
def warn(message: str) -> None:
    """Logs a warning, from one of several processes."""
    log.warning(message)


def refused_weights(source: object, problem: str) -> WeightsError:
    """The error about weights that hold no numbers before anything is computed."""
    return WeightsError(
        f"{source}: {problem}, so every answer would be the same nothing; the training behind it went wrong: give an "
        "earlier checkpoint, or train anew with a lower --model.lr"
    )


def describe_kept(trainer: pl.Trainer) -> str:
    """The existing checkpoints."""
    paths = (
        Path(path)
        for callback in trainer.checkpoint_callbacks
        for path in (getattr(callback, "best_model_path", ""), getattr(callback, "last_model_path", ""))
        if path
    )
    files = sorted({path for path in paths if path.is_file()})
    if not files:
        return "nothing was saved yet"
    return f"nothing of it was saved, {files[0].parent} keeps {', '.join(path.name for path in files)} of before"


def keep_sound(callback: ModelCheckpoint) -> None:
    """Keeps a monitored value, or weights, that are no numbers from becoming the best checkpoint.

    Lightning takes the first value as the best one, whatever it is. This works with every trainer's own callback, so it
    cannot be a subclass of it.
    """
    if "check_monitor_top_k" in vars(callback):
        return
    decide = callback.check_monitor_top_k

    def check(trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        return is_sound(trainer, callback.monitor, current) and decide(trainer, current)

    callback.check_monitor_top_k = check  # type: ignore[method-assign]


def is_sound(trainer: pl.Trainer, monitor: str | None, current: Tensor | None) -> bool:
    """Whether a checkpoint with this value may be the best one; the module logs it if not."""
    module = trainer.lightning_module
    if not isinstance(module, WatchedModule):
        return True
    if not module.look() or not module.is_validated:
        return False
    if current is not None and not current.isfinite():
        error = TrainingError(
            f"{monitor} is {current.item()} in epoch {trainer.current_epoch}, so the best checkpoint cannot be chosen "
            "by it; monitor another metric, or look at what it is computed from"
        )
        module.report(f"best by {monitor}", error)
        return False
    return True
