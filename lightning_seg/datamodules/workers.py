"""How many loader processes feed a training."""

import os
from typing import Any, NamedTuple

import torch

from lightning_seg.cores import usable_cores

MOST = {True: 8, False: 16}
"""Beside a device, by whether pictures are cached: eight that only augment give 6,000 pictures per second or more."""
CORES_PER_WORKER = {True: 16, False: 4}
"""Where cores compute the network, likewise."""


class Place(NamedTuple):
    """Where a process trains.

    ``cores`` are its share of those that the processes on this machine may use; ``computes`` says whether they compute
    the network, since there is no device for it.
    """

    cores: int
    computes: bool


def place_of(trainer: Any = None) -> Place:
    """That of a trainer; without one torch's device, and as many processes as torchrun tells."""
    num_processes = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    computes = not torch.cuda.is_available()
    if trainer is not None:
        num_processes = max(num_processes, trainer.num_devices)
        computes = trainer.strategy.root_device.type == "cpu"
    return Place(max(1, usable_cores() // num_processes), computes)


def choose_num_workers(is_cached: bool, place: Place) -> int:
    """Loader processes of one process that trains.

    Beside a device every core but the one of the process itself loads, up to ``MOST``. Without one all cores compute,
    and what loads beside them slows every step: where pictures are cached none loads on up to two cores and one in 16
    otherwise, where each is decoded one in four, and at least one. docs/performance.md has the measurements.

    Args:
        is_cached: whether pictures are read decoded and resized.
        place: where the process trains.
    """
    if not place.computes:
        return min(place.cores - 1, MOST[is_cached])
    least = 1 if place.cores > (2 if is_cached else 1) else 0
    return max(least, place.cores // CORES_PER_WORKER[is_cached])


def more_workers(num_workers: int, place: Place) -> int | None:
    """How many to try where these are too few; None where they have every core already."""
    if not place.computes:
        # The process itself computes little.
        return place.cores - 1 if num_workers < place.cores - 1 else None
    return num_workers + 1 if num_workers < place.cores else None
