"""Bases of the datasets of pictures: with masks, with labels, and for both."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic, NamedTuple, Self, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lightning_seg.augmentation.seeding import EpochIndex, SeededPipeline
from lightning_seg.batch import ClassificationSample, LabelledSample, SegmentationSample
from lightning_seg.datasets.cache import PictureCache
from lightning_seg.datasets.cache_layout import Cache, Entry
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_image_at, resize_mask

Record = TypeVar("Record")
Sample = TypeVar("Sample", bound=LabelledSample)


class PictureDataset(Dataset[Sample], Generic[Record, Sample], ABC):
    """Reads, resizes and augments pictures; a subclass lists its records and adds their labels.

    Args:
        records: one per sample.
        image_size: (height, width) of the returned pictures; None keeps their sizes.
        pipeline: random transforms, drawn per (epoch, index).
    """

    class_names: tuple[str, ...]
    has_masks: ClassVar[bool] = False

    def __init__(
        self,
        records: Sequence[Record],
        image_size: tuple[int, int] | None = None,
        pipeline: SeededPipeline | None = None,
    ) -> None:
        self.records = list(records)
        self.image_size = image_size
        self.pipeline = pipeline
        self.cache: Cache | None = None
        self.groups: list[str | None] | None = None
        """The group of each record, see ``DataModule.group``."""

    @abstractmethod
    def image_path(self, record: Record) -> Path:
        """The picture file of one record."""

    def files(self, record: Record) -> tuple[Path, ...]:
        """The files with the pixels of a record; a cache on the disk depends on their sizes and dates."""
        return (self.image_path(record),)

    def reading(self) -> str:
        """Everything else that the pixels depend on, beside files and ``image_size``, as text; the same in every
        process.

        Classes outside of this package may leave it out: their code, arguments and records count.
        """
        return ""

    @abstractmethod
    def _label(self, sample: LabelledSample, record: Record, mask: Array | None) -> Sample:
        """The sample with its label; ``mask`` has been drawn together with the picture."""

    def subset(self, indices: Sequence[int], pipeline: SeededPipeline | None = None) -> Self:
        """The same dataset restricted to some of its records, with its own pipeline and no cache."""
        return self.over([self.records[index] for index in indices], pipeline)

    def over(self, records: Sequence[Record], pipeline: SeededPipeline | None = None) -> Self:
        """The same dataset over other records, with its own pipeline and no cache."""
        part = copy.copy(self)
        part.records = list(records)
        part.pipeline, part.cache, part.groups = pipeline, None, None
        return part

    def enable_cache(self) -> None:
        """Decode every picture once in this process; see ``PictureCache``."""
        self.cache = PictureCache(len(self), self.cached_size(), self.has_masks)

    def cached_size(self) -> tuple[int, int]:
        """(height, width) of pictures in a cache. Raises DataError if they have no common size."""
        if self.image_size is None:
            raise DataError("the cache needs one size for all pictures; set image_size, or cache to false")
        return self.image_size

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, key: int | EpochIndex) -> Sample:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        image, mask, original_size = self._prepared(index)
        if self.pipeline is not None:
            image, mask = self.pipeline(image, mask, (epoch, index))
        record = self.records[index]
        sample: LabelledSample = {
            "image": torch.from_numpy(image).permute(2, 0, 1),
            "index": index,
            "epoch": epoch,
            "path": str(self.image_path(record)),
            "original_size": original_size,
        }
        return self._label(sample, record, mask)

    def _prepared(self, index: int) -> Entry:
        entry = self.cache.get(index) if self.cache else None
        if entry is None:
            entry = self.read(self.records[index])
            if self.cache:
                self.cache.put(index, entry)
        return entry

    def read(self, record: Record) -> Entry:
        """A picture, and its mask if it has one, at ``image_size``, from its files.

        Raises:
            DataError: if a file cannot be read.
        """
        image, original_size = read_image_at(self.image_path(record), self.image_size)
        return Entry(image, None, original_size)


class Decoded(NamedTuple):
    """A mask as class indices."""

    mask: Array  # (H, W) uint8, 255 = ignored
    num_decided: int = 0  # pixels that held a value of no class, and were given to the nearest one


class SegmentationDataset(PictureDataset[Record, SegmentationSample], ABC):
    """Pictures with masks. A subclass lists its records and reads their masks; see ``PictureDataset``."""

    has_masks = True
    whole_masks = False
    """Whether masks keep the size of the file when pictures are resized."""

    @abstractmethod
    def read_mask(self, record: Record) -> Array:
        """The mask of one record as class indices ``(H, W)`` uint8, at the size of the file."""

    def decode_mask(self, record: Record) -> Decoded:
        """The same, and how many of its pixels were decided by the nearest class."""
        return Decoded(self.read_mask(record))

    def mask_path(self, record: Record) -> Path:
        """The mask file of one record.

        Raises:
            DataError: if the dataset does not define it.
        """
        raise DataError(
            f"{type(self).__name__} does not say where its masks lie, so nobody sees whether one has changed; add "
            "mask_path(record) to the class, or give --data.cache ram"
        )

    def files(self, record: Record) -> tuple[Path, ...]:
        return self.image_path(record), self.mask_path(record)

    def read(self, record: Record) -> Entry:
        entry, mask = super().read(record), self.read_mask(record)
        height, width = entry.original_size
        if mask.shape != entry.original_size:
            raise DataError(
                f"{self.image_path(record)}: the picture is {width}x{height} pixels and its mask "
                f"{mask.shape[1]}x{mask.shape[0]}; replace one of the two"
            )
        if self.image_size is not None and not self.whole_masks:
            mask = resize_mask(mask, self.image_size)
        return entry._replace(mask=mask)

    def _label(self, sample: LabelledSample, record: Record, mask: Array | None) -> SegmentationSample:
        assert mask is not None
        return {**sample, "mask": torch.from_numpy(mask)}


class ClassificationDataset(PictureDataset[Record, ClassificationSample], ABC):
    """Pictures of one class each. A subclass lists its records and their classes; see ``PictureDataset``."""

    @abstractmethod
    def label(self, record: Record) -> int:
        """The class index of one record, without reading its picture."""

    def boxes(self, record: Record) -> NDArray[np.float32]:
        """Boxes of the class on the picture, ``(N, 4)`` as x1, y1, x2, y2 in pixels of the file; there may be none."""
        return np.empty((0, 4), np.float32)

    def has_boxes(self) -> bool:
        """Whether any picture has a box."""
        return any(len(self.boxes(record)) for record in self.records)

    def count_labels(self) -> list[int]:
        """Pictures of each class."""
        labels = torch.tensor([self.label(record) for record in self.records], dtype=torch.int64)
        counts: list[int] = torch.bincount(labels, minlength=len(self.class_names)).tolist()
        return counts

    def _label(self, sample: LabelledSample, record: Record, mask: Array | None) -> ClassificationSample:
        labelled = cast(ClassificationSample, {**sample, "label": self.label(record)})
        if self.image_size is None and self.pipeline is None:
            boxes = torch.from_numpy(self.boxes(record))
            labelled |= {"boxes": boxes, "box_labels": torch.full((len(boxes),), labelled["label"])}
        return labelled
