"""One way to build a loader."""

import os
from collections.abc import Callable
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lightning_seg.augmentation.collate import collate_pictures
from lightning_seg.augmentation.seeding import EvalSampler
from lightning_seg.datasets.pictures import PictureFiles


def make_loader(
    dataset: Dataset[Any],
    sampler: Sampler[Any],
    collate_fn: Callable[[Any], Any],
    batch_size: int,
    num_workers: int,
    **options: Any,
) -> DataLoader[Any]:
    """A loader whose workers do not start threads of their own; ``options`` are those of ``DataLoader``."""
    # Keywords only: a positional batch size breaks Lightning's predict.
    return DataLoader(
        dataset,
        sampler=sampler,
        collate_fn=collate_fn,
        batch_size=batch_size,
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_one_thread,
        **options,
    )


def picture_loader(dataset: PictureFiles, batch_size: int, num_workers: int) -> DataLoader[Any]:
    """Every picture once, in order; pictures at their own sizes come one at a time."""
    batch_size = 1 if dataset.image_size is None else batch_size
    return make_loader(dataset, EvalSampler(dataset), collate_pictures, batch_size, num_workers)


def spare_cores() -> int:
    """Loader processes for this machine."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Where the network computes on the same two cores, a loader process slows it more than it helps.
    if available <= 2 and not torch.cuda.is_available():
        return 0
    return min(8, available - 1)


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
