"""torch.compile for long trainings."""

from collections.abc import Callable
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Size, Tensor

from lightning_seg.callbacks.matmul_precision import MatmulPrecision, Precision


class Compile(MatmulPrecision):
    """Compiles the network for training, in place, so that checkpoints keep their names.

    Validation, test, sample pictures and the graph in TensorBoard use the network without compiling. It is one graph
    for one size of batches, since a graph for several sizes takes longer to compile and is slower; a batch with fewer
    pictures, or with pictures of another size, is not compiled. If other parts of the network begin to train, a new
    graph is compiled. docs/performance.md says from how many steps on it pays.

    Args:
        mode: see ``torch.compile``.
        backend: see ``torch.compile``.
        matmul_precision: see ``MatmulPrecision``.
    """

    def __init__(
        self,
        mode: Literal["default", "reduce-overhead", "max-autotune"] = "default",
        backend: str = "inductor",
        matmul_precision: Precision = "high",
    ) -> None:
        super().__init__(matmul_precision)
        self.mode = mode
        self.backend = backend

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network = pl_module.model
        assert isinstance(network, torch.nn.Module)
        # inductor alone knows modes.
        network.compile(backend=self.backend, mode=self.mode if self.backend == "inductor" else None, dynamic=False)
        # It knows no condition, and copies of the network leave it out as they do what compile puts there.
        compiled = network._compiled_call_impl
        assert compiled is not None
        network._compiled_call_impl = TrainingOnly(network, compiled)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        network = pl_module.model
        assert isinstance(network, torch.nn.Module)
        network._compiled_call_impl = None


class TrainingOnly:
    """Calls a compiled network with training batches, and the original network with others.

    Args:
        network: the original.
        compiled: the same, compiled.
    """

    def __init__(self, network: torch.nn.Module, compiled: Callable[..., Any]) -> None:
        self.network, self.compiled = network, compiled
        self.shape: Size | None = None
        """Shape of the largest training batch so far."""

    def __call__(self, images: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.network.training and torch.is_grad_enabled() and self._has_the_size(images.shape):
            return self.compiled(images, *args, **kwargs)
        return self.network._call_impl(images, *args, **kwargs)  # type: ignore[no-untyped-call]

    def _has_the_size(self, shape: Size) -> bool:
        # Of an epoch that goes on with its last batch, the first one is not like the others.
        if self.shape is None or (shape[1:] == self.shape[1:] and shape[0] > self.shape[0]):
            self.shape = shape
        return shape == self.shape
