"""Bases of the datamodules: for masks, for labels, and for both."""

from abc import ABC
from functools import partial
from typing import Any, ClassVar

from lightning_seg.augmentation.checks import check_fill
from lightning_seg.augmentation.collate import collate_classification, collate_segmentation
from lightning_seg.augmentation.mixing import Mix, mix_classification, mix_segmentation
from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.datamodules.data_module import DataModule, Loader
from lightning_seg.datamodules.picture_source import Collate
from lightning_seg.datamodules.sizes import as_size
from lightning_seg.datasets.base import ClassificationDataset, SegmentationDataset
from lightning_seg.datasets.pixel_counts import count_pixels
from lightning_seg.errors import DataError
from lightning_seg.mask_encoding import MaskEncoding

__all__ = ["ClassificationDataModule", "Collate", "DataModule", "Loader", "SegmentationDataModule", "as_size"]


class SegmentationDataModule(DataModule[SegmentationDataset[Any]], ABC):
    """Pictures and masks; a subclass defines where they come from and how they are split. Arguments: see
    ``DataModule``.

    Raises:
        ConfigError: if an argument has an impossible value.
    """

    ignore_index: ClassVar[int] = IGNORE_INDEX
    mask_encoding: MaskEncoding | None = None
    """What mask files hold for each class, so that predicted masks can be written alike; None where nobody says it."""

    def _add(self, split: str, dataset: SegmentationDataset[Any]) -> None:
        dataset.whole_masks = self.measuring.original_size
        super()._add(split, dataset)

    def collate_fn(self) -> Collate:
        return collate_segmentation

    def mix_fn(self) -> Mix:
        return mix_segmentation

    def check_pipeline(self) -> None:
        check_fill(self.pipeline, self.class_names)

    def count_class_pixels(self) -> list[int]:
        """Pixels of each class in the training masks, for class weights."""
        return count_pixels(self.training_pictures())


class ClassificationDataModule(DataModule[ClassificationDataset[Any]], ABC):
    """Pictures and labels; a subclass defines where they come from and how they are split. Arguments: see
    ``DataModule``.

    Mixed batches hold shares of classes in place of class indices, see ``ClassificationBatch``.

    Raises:
        ConfigError: if an argument has an impossible value.
    """

    def setup(self, stage: str) -> None:
        super().setup(stage)
        split = {"validate": "val", "test": "test"}.get(stage)
        if self.measuring.original_size and split in self.datasets and not self.datasets[split].has_boxes():
            raise DataError(f"{self.root}: no picture of {split} has a box to compare with; leave --original_size out")

    def collate_fn(self) -> Collate:
        return collate_classification

    def mix_fn(self) -> Mix:
        return partial(mix_classification, num_classes=self.num_classes)

    def count_class_samples(self) -> list[int]:
        """Training pictures of each class, for class weights."""
        return self.training_pictures().count_labels()
