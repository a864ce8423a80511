"""How exactly a CUDA device multiplies matrices of float32."""

from typing import Literal

import pytorch_lightning as pl
import torch

Precision = Literal["highest", "high", "medium"]


class MatmulPrecision(pl.Callback):
    """Lets CUDA devices round what goes into products of float32 matrices, while this trainer is at work.

    ``high`` is TF32, with 10 bits after the point; see ``torch.set_float32_matmul_precision``. torch rounds what goes
    into convolutions like that by itself. Products in bf16 are not concerned, and on other devices nothing changes.

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
