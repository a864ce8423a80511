"""torch.compile for a training run."""

from typing import Literal

import pytorch_lightning as pl
import torch


class Compile(pl.Callback):
    """Compiles the network in place when fitting or evaluating begins, so that checkpoints keep their names.

    Args:
        mode: see ``torch.compile``.
        backend: see ``torch.compile``.
        matmul_precision: of float32 products on CUDA, see ``torch.set_float32_matmul_precision``.
    """

    def __init__(
        self,
        mode: Literal["default", "reduce-overhead", "max-autotune"] = "default",
        backend: str = "inductor",
        matmul_precision: Literal["highest", "high", "medium"] = "high",
    ) -> None:
        self.mode = mode
        self.backend = backend
        self.matmul_precision = matmul_precision

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        torch.set_float32_matmul_precision(self.matmul_precision)
        network = pl_module.model
        assert isinstance(network, torch.nn.Module)
        # inductor alone knows modes.
        network.compile(backend=self.backend, mode=self.mode if self.backend == "inductor" else None)
