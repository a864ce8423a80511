"""What a task has to know about devices and processes: how its optimiser steps, what processes synchronise."""

import gc

import pytorch_lightning as pl
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from torch.nn.parallel import DistributedDataParallel

from lightning_seg.errors import ConfigError


def steps_are_fused(trainer: pl.Trainer) -> bool:
    """Whether optimisers that have a fused step use it: on CUDA devices and on CPUs.

    In mixed precision Lightning does not clip gradients for them. Other strategies have parameters of their own kinds.
    """
    clips = bool(trainer.gradient_clip_val) and "mixed" in str(trainer.precision)
    is_plain = isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy)
    return trainer.strategy.root_device.type in ("cuda", "cpu") and is_plain and not clips


def check_unfreezing(trainer: pl.Trainer) -> None:
    """Raises ConfigError if what trains cannot change under the trainer's strategy."""
    if trainer.world_size > 1 and not isinstance(trainer.strategy, DDPStrategy):
        raise ConfigError(
            f"unfreeze_epoch does not work with {type(trainer.strategy).__name__}; give --trainer.strategy ddp, or set "
            "freeze_encoder false"
        )


def synchronise_what_trains(trainer: pl.Trainer) -> None:
    """Let the processes average the gradients of all parameters that require one now.

    torch looks for them when it wraps a network, so the network is wrapped anew, which also gives every process the
    weights of the first. Without several processes nothing happens.
    """
    strategy = trainer.strategy
    if not isinstance(strategy, DDPStrategy) or not isinstance(strategy.model, DistributedDataParallel):
        return
    strategy.model = strategy.lightning_module
    # The old wrapper hangs on the gradients until it is gone, and it refers to itself.
    gc.collect()
    strategy.configure_ddp()
