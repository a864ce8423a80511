"""Lightning's callbacks where a continued run needs something else of them."""

import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

log = logging.getLogger(__name__)


class RunCheckpoint(ModelCheckpoint):
    """Remembers the best score also where the run folder is reached by another path, or was moved or copied."""

    @property
    def state_key(self) -> str:
        """As Lightning's own."""
        return super().state_key.replace(type(self).__qualname__, ModelCheckpoint.__qualname__, 1)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # Lightning compares paths as they were written, and forgets everything where they differ.
        super().load_state_dict(state_dict if self.dirpath is None else moved(state_dict, str(self.dirpath)))


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
        super().load_state_dict({**state_dict, "patience": self.patience, "stopped_epoch": 0})

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.stopped_epoch:
            log.warning(
                "stopped early after %d epochs: %s has not got better than %.4f for %d validations",
                self.stopped_epoch + 1,
                self.monitor,
                float(self.best_score),
                self.patience,
            )
