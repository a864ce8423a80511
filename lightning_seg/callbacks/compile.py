"""torch.compile for a training run."""

from typing import Literal

import pytorch_lightning as pl
import torch


class Compile(pl.Callback):
    """Compiles the network in place before its first batch, so that checkpoints keep their names.

    Not earlier: the summary and the graph in TensorBoard trace the network as it was written.

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

        self.compiled = False

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._compile(pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._compile(pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._compile(pl_module)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._compile(pl_module)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._compile(pl_module)

    def _compile(self, pl_module: pl.LightningModule) -> None:
        if self.compiled:
            return
        self.compiled = True
        torch.set_float32_matmul_precision(self.matmul_precision)
        network = pl_module.model
        assert isinstance(network, torch.nn.Module)
        # inductor alone knows modes.
        network.compile(backend=self.backend, mode=self.mode if self.backend == "inductor" else None)
