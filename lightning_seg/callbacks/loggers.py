"""Sending pictures to loggers that take them."""

import pytorch_lightning as pl
from pytorch_lightning.loggers import TensorBoardLogger

from lightning_seg.images import Array


def add_picture(trainer: pl.Trainer, name: str, picture: Array) -> None:
    """``(H, W, 3)`` uint8 RGB to TensorBoard, at the current step."""
    for logger in trainer.loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, picture, trainer.global_step, dataformats="HWC")
