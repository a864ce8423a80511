"""Precision of float32 matrix products on CUDA devices."""

from typing import Literal

import pytorch_lightning as pl
import torch

Precision = Literal["highest", "high", "medium"]


class MatmulPrecision(pl.Callback):
    """Lets CUDA devices round the inputs of float32 matrix products while this trainer runs.

    ``high`` is TF32, with 10 bits of mantissa; see ``torch.set_float32_matmul_precision``. torch rounds the inputs of
    convolutions like that by default. Products in bf16 and other devices do not change.

    Args:
        matmul_precision: ``highest`` rounds nothing.
    """

    def __init__(self, matmul_precision: Precision = "high") -> None:
        self.matmul_precision = matmul_precision
        self._before: str | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        before = torch.get_float32_matmul_precision()
        if trainer.strategy.root_device.type == "cuda" and before != self.matmul_precision:
            self._before = before
            torch.set_float32_matmul_precision(self.matmul_precision)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._before is not None:
            torch.set_float32_matmul_precision(self._before)
            self._before = None
