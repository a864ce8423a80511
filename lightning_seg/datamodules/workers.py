"""The number of loader processes for a training."""

import os
from typing import Any, Literal, NamedTuple

import torch

from lightning_seg.cores import usable_cores

MOST = {True: 8, False: 16}
"""Most loader processes beside a device, by whether pictures are cached: eight that only augment give 6,000 pictures/s
or more.
"""
CORES_PER_WORKER = {True: 16, False: 4}
"""Cores per loader process where cores also compute the network, by whether pictures are cached."""


class Place(NamedTuple):
    """The cores and device of a training process.

    ``cores`` is its share of the cores that this machine's processes may use; ``computes`` says whether they compute
    the network, since there is no other device.
    """

    cores: int
    computes: bool


def place_of(trainer: Any = None) -> Place:
    """The place of a trainer; without one, torch's device and the number of processes that torchrun gives."""
    num_processes = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    computes = not torch.cuda.is_available()
    if trainer is not None:
        num_processes = max(num_processes, trainer.num_devices)
        computes = trainer.strategy.root_device.type == "cpu"
    return Place(max(1, usable_cores() // num_processes), computes)


def choose_num_workers(is_cached: bool, place: Place) -> int:
    """Loader processes of one training process.

    Beside a device every core loads except the training process's own, up to ``MOST``. Without a device all cores
    compute, and loading slows every step: with cached pictures no process on up to two cores and one per 16 cores
    otherwise; with decoding one per four cores, at least one. docs/performance.md has the measurements.

    Args:
        is_cached: whether decoded and resized pictures are read.
        place: of the training process.
    """
    if not place.computes:
        return min(place.cores - 1, MOST[is_cached])
    least = 1 if place.cores > (2 if is_cached else 1) else 0
    return max(least, place.cores // CORES_PER_WORKER[is_cached])


def more_workers(num_workers: int, place: Place) -> int | None:
    """A number to try if these are too few; None if they have every core already."""
    if not place.computes:
        # The process itself computes little.
        return place.cores - 1 if num_workers < place.cores - 1 else None
    return num_workers + 1 if num_workers < place.cores else None


class LoadingRemedy(NamedTuple):
    """Something that makes training pictures come faster."""

    kind: Literal["cache", "workers", "transforms", "files"]
    text: str  # follows the word "give"
    num_workers: int  # loader processes with it


def loading_remedies(is_cached: bool, can_cache: bool, num_workers: int, place: Place) -> list[LoadingRemedy]:
    """What usually helps most first; at least one.

    Args:
        is_cached: whether decoded and resized pictures are read.
        can_cache: whether all pictures have one size.
        num_workers: loader processes of today.
        place: of the training process.
    """
    remedies = []
    if not is_cached and can_cache:
        text = "--data.cache true, which decodes each picture once"
        remedies.append(LoadingRemedy("cache", text, num_workers))
    more = more_workers(num_workers, place)
    if more is not None:
        text = f"--data.num_workers {more} in place of {num_workers}, since cores are idle"
        remedies.append(LoadingRemedy("workers", text, more))
    if is_cached:
        remedies.append(LoadingRemedy("transforms", "a pipeline of fewer transforms (--data.augment)", num_workers))
    else:
        remedies.append(LoadingRemedy("files", "smaller picture files", num_workers))
    return remedies
