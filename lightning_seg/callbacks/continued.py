"""Lightning's callbacks where a continued run needs something else of them."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.callbacks.early_stopping import EarlyStoppingReason

from lightning_seg.tasks.watched import is_sound

log = logging.getLogger(__name__)


BEST = "best"
"""Name of the checkpoint that ``test --run`` measures."""
LAST = "last"
"""Name of the checkpoint that ``fit --run`` goes on from."""


class RunCheckpoint(ModelCheckpoint):
    """Remembers the best score also where the run folder is reached by another path, or was moved or copied."""

    @property
    def former_key(self) -> str:
        """What ``state_key`` was, and what that of a user's callback for the same metric is."""
        return self.state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        for callback in trainer.checkpoint_callbacks if self.filename == LAST else ():
            # The user's save_last would write last-v1.ckpt beside it, and a run go on from the older one of both.
            if isinstance(callback, ModelCheckpoint) and callback.save_last and callback.dirpath == self.dirpath:
                callback.last_model_path = callback.format_checkpoint_name({}, LAST)

    def _save_none_monitor_checkpoint(self, trainer: pl.Trainer, monitor_candidates: dict[str, Any]) -> None:
        # Where nothing validates the newest is the best one, if its weights are numbers.
        if self.filename != BEST or is_sound(trainer, None, None):
            super()._save_none_monitor_checkpoint(trainer, monitor_candidates)

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        """The state is that of the best file where that is newer, and fresh where there is none that can be read.

        A process may end between the best checkpoint and the last one of an epoch, which is then trained again.
        """
        states, name = checkpoint.get("callbacks", {}), self.filename or "{"
        if self.state_key not in states and self.former_key in states:
            states[self.state_key] = states.pop(self.former_key)
        if self.monitor is None or trainer.state.fn != "fit" or self.state_key not in states or "{" in name:
            return
        path = Path(self.dirpath or "", f"{name}{self.FILE_EXTENSION}")
        keys = (self.state_key, self.former_key)
        # One answer for all processes.
        best = trainer.strategy.broadcast(_read_state(path, keys) if trainer.is_global_zero else None)
        if best is None:
            del states[self.state_key]
        elif best[0] > checkpoint["global_step"]:
            states[self.state_key] = best[1]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Lightning compares paths as they were written, and forgets everything where they differ.
        super().load_state_dict(state_dict if self.dirpath is None else moved(state_dict, str(self.dirpath)))


def best_checkpoint(trainer: pl.Trainer) -> ModelCheckpoint | None:
    """What keeps the checkpoint that ``--run`` takes for the best one; without it the first, as in Lightning."""
    own = [callback for callback in trainer.checkpoint_callbacks if isinstance(callback, ModelCheckpoint)]
    return next((callback for callback in own if callback.filename == BEST), own[0] if own else None)


def _read_state(path: Path, keys: Sequence[str]) -> tuple[int, dict[str, Any]] | None:
    """Steps done, and state of a callback by the first of its keys; None where no such file can be read."""
    if not path.is_file():
        return None
    try:
        content = torch.load(path, "cpu", weights_only=True, mmap=True)
        states = content["callbacks"]
        return content["global_step"], next(states[key] for key in keys if key in states)
    # torch.load answers a broken file with errors of many kinds.
    except Exception:
        log.warning("%s cannot be read, so the best of the coming epochs takes its place", path)
        return None


def moved(state: dict[str, Any], folder: str) -> dict[str, Any]:
    """The state of a ``ModelCheckpoint`` whose files lie in ``folder`` now."""

    def here(path: str) -> str:
        name = Path(path).name
        # Lightning deletes what it remembers: never the folder above.
        return str(Path(folder) / name) if name not in ("", "..") else ""

    names = ("best_model_path", "kth_best_model_path", "last_model_path")
    best = {here(path): score for path, score in state["best_k_models"].items()}
    return {**state, **{name: here(state[name]) for name in names}, "best_k_models": best, "dirpath": folder}


class RunStopping(EarlyStopping):
    """Stops by the patience that was given and not by that of the checkpoint, and says so."""

    @property
    def state_key(self) -> str:
        """As Lightning's own."""
        return super().state_key.replace(type(self).__qualname__, EarlyStopping.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        fresh = {"stopped_epoch": 0, "stopping_reason": EarlyStoppingReason.NOT_STOPPED.value}
        super().load_state_dict({**state_dict, "patience": self.patience, **fresh})

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.stopping_reason == EarlyStoppingReason.NON_FINITE_METRIC:
            log.warning(
                "stopped early after %d epochs: %s is no number (NaN or infinite); give a lower --model.lr, or leave "
                "--early_stopping out",
                self.stopped_epoch + 1,
                self.monitor,
            )
        elif self.stopped_epoch:
            log.warning(
                "stopped early after %d epochs: %s has not got better than %.4f for %d validations",
                self.stopped_epoch + 1,
                self.monitor,
                float(self.best_score),
                self.patience,
            )
