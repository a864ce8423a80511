"""Sending pictures to loggers that take them."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import CometLogger, Logger

from lightning_seg.images import Array


def add_picture(trainer: pl.Trainer, name: str, picture: Array) -> None:
    """``(H, W, 3)`` uint8 RGB to every logger that takes pictures, at the step of the numbers that are logged now.

    These are TensorBoard's, that of W&B, MLflow's and Comet's, and others that take pictures by the same methods.
    """
    for logger in trainer.loggers:
        _add(logger, name, picture, trainer.fit_loop.epoch_loop._batches_that_stepped)


def _add(logger: Logger, name: str, picture: Array, step: int) -> None:
    takes: Any = logger
    if hasattr(logger, "log_image"):  # W&B
        takes.log_image(key=name, images=[picture], step=step)
        return
    experiment = getattr(logger, "experiment", None)
    if experiment is None:
        return
    if hasattr(experiment, "add_image"):  # TensorBoard
        experiment.add_image(name, picture, step, dataformats="HWC")
    elif isinstance(logger, CometLogger):
        experiment.log_image(picture, name=name, step=step)
    elif hasattr(experiment, "log_image") and hasattr(logger, "run_id"):  # MLflow, whose runs are not its experiments
        experiment.log_image(takes.run_id, picture, f"{name}/step_{step:06d}.png")
