"""The user's own loader of training samples: where its time goes, and how fast it is."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from torch.utils.data import DataLoader, Subset

from lightning_seg.datamodules.workers import LoadingRemedy, Place, more_workers
from lightning_seg.doctor.advice.stages import CLOCK, MOST_STACKED, Stages, from_all_over, one_thread
from lightning_seg.doctor.own_samples import of_the_user

SECONDS = 3.0
"""After which no further sample is asked for."""


def time_samples(loader: Any, numbers: Sequence[int]) -> Stages:
    """What one sample costs, all in one, and what stacking costs.

    Args:
        loader: of the user, with a dataset.
        numbers: of the samples that can be had, at least one.

    Raises:
        DataError: if one cannot be had all the same, or the samples cannot be stacked.
    """
    with one_thread():
        return of_the_user("the training samples", lambda: _time_samples(loader, numbers))


def _time_samples(loader: Any, numbers: Sequence[int]) -> Stages:
    seconds, samples, end = list[float](), list[Any](), time.perf_counter() + SECONDS
    for position in from_all_over(len(numbers)):
        start = CLOCK()
        sample = loader.dataset[numbers[position]]
        seconds.append(CLOCK() - start)
        samples += [sample] * (len(samples) < min(_batch_size(loader), MOST_STACKED))
        if len(seconds) > 1 and time.perf_counter() > end:
            break
    collate, stacking = getattr(loader, "collate_fn", list), 0.0
    for _ in range(2):
        # The first time is not counted.
        start = CLOCK()
        collate(samples)
        stacking = CLOCK() - start
    stages = dict.fromkeys(("open", "decode", "resize", "mask", "augment"), 0.0)
    own = median(seconds[1:] or seconds)
    return Stages(len(seconds), **stages, collate=stacking / len(samples), cached=None, own=own)


def without_failing(loader: Any, numbers: Sequence[int], batch_size: int) -> Any:
    """The same loader of some of its samples and with batches that are no larger; itself where it has no others, or is
    made in a way of its own.
    """
    is_whole = len(numbers) == len(loader.dataset) and batch_size >= _batch_size(loader)
    if is_whole or type(loader) is not DataLoader or loader.batch_size is None:
        return loader
    return DataLoader(
        Subset(loader.dataset, numbers),
        min(batch_size, loader.batch_size),
        shuffle=True,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
    )


def own_remedies(num_workers: int, place: Place) -> list[LoadingRemedy]:
    """What makes samples come faster, as far as it is known from outside."""
    more = more_workers(num_workers, place)
    if more is None:
        return []
    text = f"num_workers={more} to your DataLoader in place of {num_workers}, since cores are idle"
    return [LoadingRemedy("workers", text, more)]


def _batch_size(loader: Any) -> int:
    return int(getattr(loader, "batch_size", None) or 1)
