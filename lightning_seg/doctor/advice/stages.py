"""Where the time of a training picture goes, file by file."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import cv2
import torch

from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.cache import PictureCache
from lightning_seg.datasets.cache_layout import Entry
from lightning_seg.doctor.subject import Pictures
from lightning_seg.errors import DataError
from lightning_seg.images import Array, decode_image, resize_image, resize_mask

MOST_FILES, SECONDS, MOST_STACKED = 200, 3.0, 16
"""Files that are looked at, seconds after which no more are, and pictures that are stacked."""
REPEATS = 5
CLOCK = time.thread_time if time.get_clock_info("thread_time").resolution < 1e-5 else time.perf_counter
"""Of the work of one thread; others may have the core meanwhile, and a median of short stages would not show it."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class Stages:
    """Seconds of one core per picture, whatever else the cores do: the median over some files; a stage that there is
    not takes 0.

    Args:
        files: number of files.
        open: reading the bytes of picture and mask, as fast as the system has them now; with waiting for them.
        decode: making pixels of them, at the scale that is needed.
        resize: to ``image_size``.
        mask: reading and resizing the mask.
        augment: the random draws.
        collate: stacking to a batch.
        cached: getting picture and mask from a cache, in place of the first four; None if they have no common size.
        own: a sample of the user's own dataset, all in one.
    """

    files: int
    open: float
    decode: float
    resize: float
    mask: float
    augment: float
    collate: float
    cached: float | None
    own: float = 0.0

    @property
    def from_files(self) -> float:
        """All stages of a picture that is read from its files."""
        return self.open + self.decode + self.resize + self.mask + self.augment + self.collate + self.own

    @property
    def from_cache(self) -> float | None:
        """All stages of a picture that is in a cache."""
        return None if self.cached is None else self.cached + self.augment + self.collate


class _Timer:
    """Times the stages of pictures of a dataset, which reads from files."""

    def __init__(self, dataset: Pictures) -> None:
        self.dataset = dataset
        self.seconds: dict[str, list[float]] = defaultdict(list)
        size = dataset.image_size
        self.cache = None if size is None else PictureCache(1, size, dataset.has_masks)

    def time(self, stage: str, work: Callable[[], Value], clock: Callable[[], float] = CLOCK) -> Value:
        start = clock()
        value = work()
        self.seconds[stage].append(clock() - start)
        return value

    def median(self, stage: str) -> float:
        return median(self.seconds[stage]) if stage in self.seconds else 0.0

    def time_picture(self, index: int) -> None:
        """Raises DataError if it cannot be read."""
        dataset, record = self.dataset, self.dataset.records[index]
        path, size = dataset.image_path(record), dataset.image_size
        self.time("open", lambda: [file.read_bytes() for file in _files(dataset, record)], time.perf_counter)
        decoded = self.time("decode", lambda: decode_image(path, size))
        image, mask = decoded.pixels, None
        if size is not None:
            image = self.time("resize", lambda: resize_image(decoded.pixels, size))
        if isinstance(dataset, SegmentationDataset):
            mask = self.time("mask", lambda: _mask(dataset, record))
        if self.cache is not None:
            self.cache.put(0, Entry(image, mask, decoded.original_size))
            self.time("cached", partial(self.cache.get, 0))
        if dataset.pipeline is not None:
            self.time("augment", partial(dataset.pipeline, image, mask, (0, index)))


def time_stages(
    dataset: Pictures, collate: Callable[[Sequence[Any]], Any], batch_size: int, seconds: float = SECONDS
) -> Stages | None:
    """Measure pictures from all over a training split, with one thread as in a loader process; None if none of them can
    be read.

    Args:
        dataset: with its pipeline, and without a cache.
        collate: that makes a batch of samples.
        batch_size: number of them.
        seconds: after which no further picture is begun.
    """
    with one_thread():
        return _time_stages(dataset, collate, batch_size, seconds)


def _time_stages(
    dataset: Pictures, collate: Callable[[Sequence[Any]], Any], batch_size: int, seconds: float
) -> Stages | None:
    timer, end, good = _Timer(dataset), time.perf_counter() + seconds, []
    for number, index in enumerate(from_all_over(len(dataset))):
        if number > 1 and time.perf_counter() > end:
            break
        with suppress(DataError, OSError):
            timer.time_picture(index)
            good.append(index)
    if not good:
        return None
    if len(good) > 1:
        # What is used for the first time is loaded and set up.
        timer.seconds = defaultdict(list, {stage: seconds[1:] for stage, seconds in timer.seconds.items()})
    samples = [dataset[0, index] for index in good[: min(batch_size, MOST_STACKED)]]
    for _ in range(REPEATS):
        timer.time("collate", lambda: collate(samples))
    return Stages(
        len(good),
        **{name: timer.median(name) for name in ("open", "decode", "resize", "mask", "augment")},
        collate=timer.median("collate") / len(samples),
        cached=None if timer.cache is None else timer.median("cached"),
    )


def from_all_over(length: int) -> Sequence[int]:
    """At most ``MOST_FILES`` positions, evenly."""
    return range(length) if length <= MOST_FILES else [index * length // MOST_FILES for index in range(MOST_FILES)]


@contextmanager
def one_thread() -> Iterator[None]:
    """As in a loader process."""
    threads, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(of_opencv)


def _files(dataset: Pictures, record: Any) -> tuple[Path, ...]:
    try:
        return dataset.files(record)
    # A dataset of one's own need not say where its masks lie.
    except DataError:
        return (dataset.image_path(record),)


def _mask(dataset: SegmentationDataset[Any], record: Any) -> Array:
    mask = dataset.read_mask(record)
    return mask if dataset.image_size is None else resize_mask(mask, dataset.image_size)
