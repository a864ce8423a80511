"""Lightning's pruning of networks whose weights are laid out channels_last."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelPruning
from torch import nn


def prune_in_rows(trainer: pl.Trainer, network: nn.Module) -> None:
    """Let ``ModelPruning`` see weights in rows, since it flattens them by ``view``.

    This holds for every trainer's own callback, so it cannot be a subclass of it.
    """
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks:
        if isinstance(callback, ModelPruning) and "apply_pruning" not in vars(callback):
            _wrap(callback, network)


def _wrap(callback: ModelPruning, network: nn.Module) -> None:
    prune = callback.apply_pruning

    def prune_rows(amount: int | float) -> None:
        with _in_rows(network):
            prune(amount)

    callback.apply_pruning = prune_rows  # type: ignore[method-assign]


@contextmanager
def _in_rows(network: nn.Module) -> Iterator[None]:
    _lay_out(network, torch.contiguous_format)
    yield
    # As the state of the optimiser is laid out.
    _lay_out(network, torch.channels_last)


def _lay_out(network: nn.Module, memory_format: torch.memory_format) -> None:
    network.to(memory_format=memory_format)
    for module in network.modules():
        for name, _ in list(module.named_parameters(recurse=False)):
            pruned = vars(module).get(name.removesuffix("_orig"))
            # The product of weights and mask is neither a parameter nor a buffer.
            if isinstance(pruned, torch.Tensor) and pruned.dim() == 4:
                setattr(module, name.removesuffix("_orig"), pruned.detach().contiguous(memory_format=memory_format))
