"""The test pictures of a dataset with what is true of them, and how large its splits are."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray

from lightning_seg.datamodules.data_module import DataModule
from lightning_seg.datasets.base import PictureDataset, SegmentationDataset
from lightning_seg.datasets.objects import box_labels_of, boxes_of, labels_of
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.images import Array
from lightning_seg.report.overview import SplitSize
from lightning_seg.tables import harmless_path

SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}


class Truth(NamedTuple):
    """What is true of a picture; what its kind of dataset does not tell is None or empty."""

    class_names: tuple[str, ...]  # that the picture, or its boxes, are labelled with
    mask: Array | None  # (H, W) uint8 class indices at the size of the file, 255 = ignored
    boxes: NDArray[np.float32]  # (N, 4): x1, y1, x2, y2 in pixels of the file
    box_labels: tuple[int, ...]  # of each box, in the classes of the dataset


class TestSplit:
    """The test pictures by their paths.

    Args:
        dataset: of the test split.
        sizes: of all splits.
        root: of the dataset.
    """

    __test__ = False  # is none of pytest's

    def __init__(
        self, dataset: PictureDataset[Any, Any], sizes: Iterable[SplitSize], root: str | Path | None = None
    ) -> None:
        self.dataset, self.sizes = dataset, tuple(sizes)
        self.class_names = dataset.class_names
        self._records: dict[str, Any] = {}
        self._below: dict[str, Any] = {}
        for record in dataset.records:
            path = str(dataset.image_path(record))
            self._records |= {path: record, harmless_path(path): record, os.path.realpath(path): record}
            if root is not None:
                self._below[Path(os.path.relpath(path, root)).as_posix()] = record

    @classmethod
    def of(cls, data: pl.LightningDataModule) -> Self:
        """From a datamodule that is not set up; nothing is downloaded or written, and no picture is read.

        Raises:
            ConfigError: if it is of the user's own and does not tell its pictures.
            DataError: if its files are not there.
        """
        if not isinstance(data, DataModule):
            raise ConfigError(
                f"{type(data).__name__} does not tell which pictures it has, since it is none of this package's; "
                "derive it from one"
            )
        test = data.make_test()
        datasets: dict[str, PictureDataset[Any, Any] | None] = {}
        if data.trains:
            datasets["train"], datasets["val"] = data.make_train_val()
        return cls(test, _sizes(data, {**datasets, "test": test}), getattr(data, "root", None))

    def find(self, path: str) -> Any:
        """The record of a picture; where the dataset lies elsewhere now, its place below the root counts.

        Raises:
            DataError: if it is not there.
        """
        for known in (path, os.path.realpath(path)):
            if known in self._records:
                return self._records[known]
        parts = Path(path).parts
        # The longest end of the path that is a place below the root.
        for number in range(len(parts), 0, -1):
            if (end := "/".join(parts[-number:])) in self._below:
                return self._below[end]
        raise DataError(f"{path}: not among the test pictures of this dataset; test the run again")

    def truth(self, record: Any) -> Truth:
        """What is true of a picture.

        Raises:
            DataError: if its mask cannot be read.
        """
        dataset = self.dataset
        mask = dataset.read_mask(record) if isinstance(dataset, SegmentationDataset) else None
        names = tuple(dataset.class_names[index] for index in dict.fromkeys(labels_of(dataset, record)))
        return Truth(names, mask, boxes_of(dataset, record), tuple(box_labels_of(dataset, record)))


def _sizes(data: DataModule[Any], datasets: Mapping[str, PictureDataset[Any, Any] | None]) -> Iterable[SplitSize]:
    for split, dataset in datasets.items():
        if dataset is not None:
            groups = [data.group(record) for record in dataset.records]
            told = {group for group in groups if group is not None}
            # A picture without a group is one of its own.
            number = len(told) + groups.count(None) if told else None
            yield SplitSize(SPLIT_NAMES[split], len(dataset), number)
