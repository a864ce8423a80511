"""Devices and processes: fused optimiser steps, parameters that begin to train, and statistics that are shared."""

import gc

import pytorch_lightning as pl
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy, SingleDeviceStrategy
from torch.nn.parallel import DistributedDataParallel

from lightning_seg.errors import ConfigError


def steps_are_fused(trainer: pl.Trainer) -> bool:
    """Whether optimisers with a fused step use it: on CUDA devices and on CPUs.

    Not where Lightning would refuse to clip their gradients, in mixed precision, and not in strategies with own
    parameters.
    """
    clips = bool(trainer.gradient_clip_val) and "mixed" in str(trainer.precision)
    is_plain = isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy)
    return trainer.strategy.root_device.type in ("cuda", "cpu") and is_plain and not clips


def check_unfreezing(trainer: pl.Trainer) -> None:
    """Raises ConfigError if the strategy does not allow other parameters to begin training."""
    if trainer.world_size > 1 and not isinstance(trainer.strategy, DDPStrategy):
        raise ConfigError(
            f"unfreeze_epoch does not work with {type(trainer.strategy).__name__}; give --trainer.strategy ddp, or set "
            "freeze_encoder false"
        )


def synchronise_what_trains(trainer: pl.Trainer) -> None:
    """Let the processes average the gradients of all parameters that now require one.

    torch selects them when it wraps a network, so the network is wrapped again, which also gives every process the
    weights of the first one. Without several processes nothing happens.
    """
    strategy = trainer.strategy
    if not isinstance(strategy, DDPStrategy) or not isinstance(strategy.model, DistributedDataParallel):
        return
    strategy.model = strategy.lightning_module
    # The old wrapper hangs on the gradients until it is gone, and it refers to itself.
    gc.collect()
    strategy.configure_ddp()


def share_statistics(trainer: pl.Trainer) -> None:
    """Give all processes the first one's buffers, such as the running statistics of batch normalisation.

    torch does it in the first forward pass of a validation, where a process without a picture would never arrive, and
    the others would wait for it for ever. Without several processes nothing happens.
    """
    network = trainer.strategy.model
    if not isinstance(network, DistributedDataParallel) or not network.broadcast_buffers:
        return
    for buffer in network.modules_buffers:
        dist.broadcast(buffer, src=0)
    network.require_forward_param_sync = False
