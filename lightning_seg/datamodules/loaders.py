"""Data loaders, and the position of a training in its epoch."""

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lightning_seg.augmentation.collate import collate_pictures
from lightning_seg.augmentation.seeding import EvalSampler, TrainSampler
from lightning_seg.datamodules.parcels import Parcels
from lightning_seg.datasets.pictures import PictureFiles
from lightning_seg.memory import keep_freed_pictures


class Position:
    """Position in an epoch: ``start`` pictures were left out, ``given`` batches have come since.

    ``asked`` is the time of the first request, by ``time.perf_counter``; ``waited`` are the seconds from each request
    to its batch, including the start of loader processes.
    """

    def __init__(self, start: int = 0) -> None:
        self.start, self.given, self.begun = start, 0, False
        self.asked = self.waited = 0.0


class TrainLoader(DataLoader[Any]):
    """Training batches of an epoch, from its beginning or from where it was interrupted.

    Nothing is fetched before the first batch is requested, so an epoch that is set until then is used: Lightning makes
    the iterator first, and loader processes would prefetch the epoch before. Lightning saves and restores the position.
    """

    _position: Position | None = None
    _next_start = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        self._position, self._next_start = Position(self._next_start), 0
        return self._batches(self._position)

    def _batches(self, position: Position) -> Iterator[Any]:
        # Of a generator nothing runs before the first batch is asked for.
        position.begun, position.asked = True, time.perf_counter()
        asked, passed = position.asked, 0
        if isinstance(self.sampler, TrainSampler):
            self.sampler.start = position.start
        else:
            # Lightning's for overfit_batches.
            passed = position.start // ((self.batch_size or 1) * self._replicas)
        for batch in islice(super().__iter__(), passed, None):
            position.given += 1
            position.waited += time.perf_counter() - asked
            yield batch
            asked = time.perf_counter()

    def begin_at(self, pictures: int) -> int:
        """Leave out this number of pictures, over all processes, in the next epoch.

        Returns:
            The number of its batches that are left out.
        """
        if self._position is None or self._position.begun:
            self._next_start = pictures
        else:
            self._position.start = pictures
        replicas, batch_size = self._replicas, self.batch_size or 1
        rest = -(-max(0, len(self.dataset) - pictures) // replicas)  # type: ignore[arg-type]
        left = rest // batch_size if self.drop_last else -(-rest // batch_size)
        return max(0, len(self) - left)

    def state_dict(self) -> dict[str, int]:
        """Seen pictures of this epoch, and pictures per batch, both over all processes."""
        batch, position = (self.batch_size or 1) * self._replicas, self._position or Position()
        return {"pictures": position.start + position.given * batch, "pictures_per_batch": batch}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.begin_at(state["pictures"])

    @property
    def waiting(self) -> tuple[float, float]:
        """Of the newest epoch: when its first batch was requested (``time.perf_counter``), and the seconds in which the
        process has waited for its batches since.
        """
        position = self._position or Position()
        return position.asked, position.waited

    @property
    def _replicas(self) -> int:
        return int(getattr(self.sampler, "num_replicas", 1))


def make_loader(
    dataset: Dataset[Any],
    sampler: Sampler[Any],
    collate_fn: Callable[[Any], Any],
    batch_size: int,
    num_workers: int,
    kind: type[DataLoader[Any]] = DataLoader,
    **options: Any,
) -> DataLoader[Any]:
    """A loader whose workers start no threads and reuse their memory; ``options`` are those of ``DataLoader``."""
    # Keywords only: a positional batch size breaks Lightning's predict.
    return kind(
        dataset,
        sampler=sampler,
        collate_fn=Parcels(collate_fn),
        batch_size=batch_size,
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_prepare_worker,
        **options,
    )


def picture_loader(dataset: PictureFiles, batch_size: int, num_workers: int) -> DataLoader[Any]:
    """Every picture once, in order; pictures of their own sizes come one at a time."""
    batch_size = 1 if dataset.image_size is None else batch_size
    return make_loader(dataset, EvalSampler(dataset), collate_pictures, batch_size, num_workers)


def _prepare_worker(worker: int) -> None:
    cv2.setNumThreads(0)
    keep_freed_pictures()
