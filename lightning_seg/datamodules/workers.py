"""How many loader processes feed a training."""

import os
from typing import Any

import torch

from lightning_seg.cores import usable_cores

MOST = {True: 8, False: 16}
"""Of a process with a CUDA device, by whether pictures are cached: the first deliver some 8,000 small pictures per second,
more than a card trains on."""
CORES_PER_WORKER = {True: 16, False: 4}
"""Of a process that computes on cores, likewise."""


def choose_num_workers(is_cached: bool, num_processes: int = 1) -> int:
    """Loader processes of one of the ``num_processes`` that train on this machine and share its cores.

    With a CUDA device every core but the one of the process itself loads, up to ``MOST``. Without one all cores compute,
    and what loads beside them slows every step: where pictures are cached none loads on up to two cores and one in 16
    otherwise, where each is decoded one in four, and at least one. docs/performance.md has the measurements.

    Args:
        is_cached: whether pictures are read decoded and resized.
        num_processes: how many.
    """
    cores = cores_of_one(num_processes)
    if torch.cuda.is_available():
        return min(cores - 1, MOST[is_cached])
    least = 1 if cores > (2 if is_cached else 1) else 0
    return max(least, cores // CORES_PER_WORKER[is_cached])


def more_workers(num_workers: int, num_processes: int = 1) -> int | None:
    """How many to try where these are too few; None where they have every core already."""
    cores = cores_of_one(num_processes)
    if torch.cuda.is_available():
        # The process itself computes little.
        return cores - 1 if num_workers < cores - 1 else None
    return num_workers + 1 if num_workers < cores else None


def cores_of_one(num_processes: int) -> int:
    return max(1, usable_cores() // max(1, num_processes))


def processes_here(trainer: Any = None) -> int:
    """How many train on this machine: the devices of the trainer, or what torchrun tells each."""
    return max(int(os.environ.get("LOCAL_WORLD_SIZE") or 1), int(getattr(trainer, "num_devices", 1)))
