"""What every dataset of pictures and masks shares."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, Self, TypeVar

import torch
from torch.utils.data import Dataset

from lightning_seg.augmentation.seeding import EpochIndex, SeededPipeline
from lightning_seg.batch import SegmentationSample
from lightning_seg.datasets.cache import Entry, PictureCache
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_image, resize_image, resize_mask

Record = TypeVar("Record")


class SegmentationDataset(Dataset[SegmentationSample], Generic[Record], ABC):
    """Reads, resizes and augments pictures with their masks; a subclass lists its records and reads their masks.

    Args:
        records: one per sample.
        image_size: (height, width) of the returned pictures; None leaves them as they are.
        pipeline: random transforms, drawn per (epoch, index).
    """

    class_names: tuple[str, ...]

    def __init__(
        self,
        records: Sequence[Record],
        image_size: tuple[int, int] | None = None,
        pipeline: SeededPipeline | None = None,
    ) -> None:
        self.records = list(records)
        self.image_size = image_size
        self.pipeline = pipeline
        self.cache: PictureCache | None = None

    @abstractmethod
    def image_path(self, record: Record) -> Path:
        """The picture file of one record."""

    @abstractmethod
    def read_mask(self, record: Record) -> Array:
        """The mask of one record as class indices ``(H, W)`` uint8, at the size of the file."""

    def subset(self, indices: Sequence[int], pipeline: SeededPipeline | None = None) -> Self:
        """The same dataset restricted to some of its records, with its own pipeline and no cache."""
        part = copy.copy(self)
        part.records = [self.records[index] for index in indices]
        part.pipeline, part.cache = pipeline, None
        return part

    def enable_cache(self) -> None:
        """Decode every picture once; see ``PictureCache``."""
        if self.image_size is None:
            raise DataError("the cache needs one size for all pictures; set image_size, or cache to false")
        self.cache = PictureCache(len(self), self.image_size)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: int | EpochIndex) -> SegmentationSample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        image, mask, original_size = self._prepared(index)
        if self.pipeline is not None:
            image, mask = self.pipeline(image, mask, (epoch, index))
        return {
            "image": torch.from_numpy(image).permute(2, 0, 1),
            "mask": torch.from_numpy(mask),
            "index": index,
            "epoch": epoch,
            "path": str(self.image_path(self.records[index])),
            "original_size": original_size,
        }

    def _prepared(self, index: int) -> Entry:
        entry = self.cache.get(index) if self.cache else None
        if entry is None:
            entry = self._read(self.records[index])
            if self.cache:
                self.cache.put(index, entry)
        return entry

    def _read(self, record: Record) -> Entry:
        image, mask = read_image(self.image_path(record)), self.read_mask(record)
        height, width = image.shape[:2]
        if mask.shape != (height, width):
            raise DataError(
                f"{self.image_path(record)}: the picture is {width}x{height} pixels and its mask "
                f"{mask.shape[1]}x{mask.shape[0]}; replace one of the two"
            )
        if self.image_size is not None:
            image, mask = resize_image(image, self.image_size), resize_mask(mask, self.image_size)
        return image, mask, (height, width)
