"""Lightning's callbacks as users give them."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import BackboneFinetuning, SpikeDetection

from lightning_seg.errors import ConfigError


def listed(given: Any) -> list[pl.Callback]:
    """The callbacks of ``trainer.callbacks``, where one may stand alone."""
    return [given] if isinstance(given, pl.Callback) else list(given or [])


def prepare(callbacks: Sequence[pl.Callback], task: pl.LightningModule) -> None:
    """What callbacks of Lightning need before they are used.

    Raises:
        ConfigError: if one of them needs what the task does not have.
    """
    for callback in callbacks:
        if isinstance(callback, BackboneFinetuning) and not hasattr(task, "backbone"):
            raise ConfigError(
                f"BackboneFinetuning needs a task with a part called backbone, {type(task).__name__} has none; "
                "--model.freeze_encoder true --model.unfreeze_epoch 3 does the same for an encoder"
            )
        if isinstance(callback, SpikeDetection):
            # It restores its mean by another name than it has.
            callback.running = callback.running_mean  # type: ignore[attr-defined]
