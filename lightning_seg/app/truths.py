"""The test pictures of a dataset with what is true of them, at the size of their files."""

import copy
import os
from typing import Any, Self, cast

import pytorch_lightning as pl

from lightning_seg.datamodules.base import DataModule
from lightning_seg.datasets.base import PictureDataset, SegmentationDataset
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.images import Array


class Truths:
    """What is true of the test pictures.

    Args:
        dataset: of the test split.
        data: its datamodule, which also has the training pictures.
    """

    def __init__(self, dataset: PictureDataset[Any, Any], data: pl.LightningDataModule) -> None:
        self.data = data
        self.class_names: tuple[str, ...] = tuple(getattr(dataset, "class_names", ()))
        whole = copy.copy(dataset)
        whole.image_size, whole.pipeline, whole.cache = None, None, None
        self._dataset = whole
        self._places = {_key(str(whole.image_path(record))): place for place, record in enumerate(whole.records)}

    @classmethod
    def of(cls, data: pl.LightningDataModule) -> Self:
        """From a datamodule that is not set up; nothing is downloaded or written.

        Raises:
            DataError: if its files are not there, or it is of the user's own and does not tell its pictures.
        """
        if isinstance(data, DataModule):
            # A few pictures are looked at once.
            data.cache = False
            data.file_checks.checks = False
        data.setup("test")
        dataset = getattr(data.test_dataloader(), "dataset", None)
        if not isinstance(dataset, PictureDataset):
            raise DataError(f"{type(data).__name__}: its test pictures are none of this package's datasets")
        return cls(dataset, data)

    @property
    def paths(self) -> list[str]:
        """In the order of the split."""
        return [str(self._dataset.image_path(record)) for record in self._dataset.records]

    def mask(self, path: str) -> Array | None:
        """``(H, W)`` uint8 class indices, 255 = ignored; None where there are no masks.

        Raises:
            DataError: if the picture is not in the test split, or a file cannot be read.
        """
        if not isinstance(self._dataset, SegmentationDataset):
            return None
        place = self._places.get(_key(path))
        if place is None:
            raise DataError(f"{path}: not in the test split of this dataset; test the run anew")
        return cast(Array, self._dataset.read(self._dataset.records[place]).mask)

    def check_classes(self, class_names: tuple[str, ...]) -> None:
        """Raises ConfigError if masks have other classes than the model."""
        if isinstance(self._dataset, SegmentationDataset) and self.class_names != class_names:
            raise ConfigError(
                f"the dataset has the classes {', '.join(self.class_names)}, the model {', '.join(class_names)}; give "
                "the run's own with --data.root"
            )


def _key(path: str) -> str:
    return os.path.realpath(path)
