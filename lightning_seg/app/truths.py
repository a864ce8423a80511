"""The test pictures of a run's dataset with what is true of them, for the page."""

from typing import Any, Self

import pytorch_lightning as pl

from lightning_seg.datamodules.base import DataModule
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.report.test_split import TestSplit


class Truths:
    """What is true of the test pictures.

    Args:
        split: the test pictures.
        data: their datamodule, which also has the training pictures.
    """

    def __init__(self, split: TestSplit, data: pl.LightningDataModule) -> None:
        self.split, self.data = split, data
        self.class_names: tuple[str, ...] = tuple(split.class_names)

    @classmethod
    def of(cls, data: pl.LightningDataModule) -> Self:
        """From a datamodule that is not set up; nothing is downloaded or written.

        Raises:
            ConfigError: if it is of the user's own and does not tell its pictures.
            DataError: if its files are not there.
        """
        if isinstance(data, DataModule):
            # A few pictures are looked at once.
            data.cache = False
            data.file_checks.checks = False
        return cls(TestSplit.of(data), data)

    @property
    def has_masks(self) -> bool:
        return isinstance(self.split.dataset, SegmentationDataset)

    @property
    def paths(self) -> list[str]:
        """In the order of the split."""
        dataset: Any = self.split.dataset
        return [str(dataset.image_path(record)) for record in dataset.records]

    def place(self, path: str) -> str:
        """The file of a test picture; the table may know it where the dataset was then.

        Raises:
            DataError: if it is not in the test split: no other file is opened, whatever a table names.
        """
        return str(self.split.dataset.image_path(self.split.find(path)))

    def mask(self, path: str) -> Array | None:
        """``(H, W)`` uint8 class indices, 255 = ignored; None where there are no masks.

        Raises:
            DataError: if the picture is not in the test split, or a file cannot be read.
        """
        return self.split.truth(self.split.find(path)).mask if self.has_masks else None

    def check_classes(self, class_names: tuple[str, ...]) -> None:
        """Raises ConfigError if masks have other classes than the model."""
        if self.has_masks and self.class_names != class_names:
            raise ConfigError(
                f"the dataset has the classes {', '.join(self.class_names)}, the model {', '.join(class_names)}; give "
                "the run's own with --data.root"
            )
