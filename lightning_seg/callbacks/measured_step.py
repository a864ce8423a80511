"""Tests and validations of a checkpoint stand in the logs where its training was, not at their beginning."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl


class MeasuredStep(pl.Callback):
    """Lets ``validate`` and ``test`` log at the step and epoch of the checkpoint that they measure.

    Lightning logs them at step 0, since nothing was trained in this process. Afterwards the trainer counts as before.
    """

    def __init__(self) -> None:
        self.measured: tuple[int, int] | None = None
        """Step and epoch of the checkpoint."""
        self.before: tuple[int, int] | None = None

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        step = newest_step(checkpoint)
        if trainer.state.fn in ("validate", "test") and step is not None:
            self.measured = step, int(checkpoint.get("epoch", 0))

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "validate":
            self._begin(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._begin(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.before is not None:
            _set_place(trainer, *self.before)
        self.measured = self.before = None

    def _begin(self, trainer: pl.Trainer) -> None:
        if self.measured is not None and self.before is None:
            self.before = trainer.fit_loop.epoch_loop._batches_that_stepped, trainer.current_epoch
            _set_place(trainer, *self.measured)


def newest_step(checkpoint: Mapping[str, Any]) -> int | None:
    """The step at which the training of a checkpoint has logged last; None of one that tells no step.

    After a validation Lightning has not counted the step yet, after an epoch it has.
    """
    done = checkpoint.get("global_step")
    if not isinstance(done, int) or done < 1:
        return None
    loop = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_loop.state_dict", {})
    # Of several optimisers all steps are counted in the first.
    return min(done - 1, int(loop.get("_batches_that_stepped", done - 1)))


def _set_place(trainer: pl.Trainer, step: int, epoch: int) -> None:
    progress: Any = trainer.fit_loop.epoch_progress.current
    trainer.fit_loop.epoch_loop._batches_that_stepped, progress.completed = step, epoch
