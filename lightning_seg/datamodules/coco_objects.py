"""Whole pictures with boxes as a datamodule, for measuring detectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from lightning_seg.augmentation.collate import collate_objects
from lightning_seg.augmentation.mixing import Mix
from lightning_seg.datamodules.base import Collate, DataModule
from lightning_seg.datamodules.options import WholeLoading
from lightning_seg.datasets.coco_objects import CocoObjectsDataset
from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.blossoms import KINDS
from lightning_seg.synthetic.marker import holds_synthetic
from lightning_seg.synthetic.scenes import write_scenes


class CocoObjectsDataModule(DataModule[CocoObjectsDataset]):
    """Pictures with several objects, in the layout of COCO, to validate and test detectors on.

    Both stages read all pictures of the file, since each split is a file in COCO. They are not for training: a detector
    learns from pictures of one object each.

    Args:
        root: folder of the dataset.
        annotations: the JSON file, relative to ``root``; COCO's own are ``annotations/instances_val2017.json``.
        images: folder of the pictures, relative to ``root``; COCO's own is ``val2017``.
        categories: classes to use, in the order of their labels; None takes all. Boxes of other classes are left out.
        image_size: side, or (height, width), of the pictures for the model; None keeps their sizes.
        options: see ``DataModule``.

    Raises:
        ConfigError: if an argument has an impossible value.
        DataError: at construction if an existing file is wrong or pictures are missing; at set-up if the file is
            missing.
    """

    deciding = (*DataModule.deciding, "annotations", "images", "categories")
    trains = False

    def __init__(
        self,
        root: str | Path,
        annotations: str = "annotations.json",
        images: str = "images",
        categories: Sequence[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        **options: Unpack[WholeLoading],
    ) -> None:
        super().__init__(root, image_size=image_size, **options)
        self.annotations, self.images = self.root / annotations, self.root / images
        self.chosen = categories
        self._pictures: CocoObjectsDataset | None = None
        if self.annotations.is_file():
            self.class_names = self._read().class_names
        else:
            self.class_names = tuple(categories or (kind.name for kind in KINDS if self.source == "synthetic"))

    def _read(self) -> CocoObjectsDataset:
        """All pictures; such a file is large, and read once unless it is written in between."""
        if self._pictures is None or self.source == "synthetic":
            self._pictures = CocoObjectsDataset(self.annotations, self.images, self.chosen)
        pictures = self._pictures.over(self._pictures.records)
        pictures.image_size = self.image_size
        return pictures

    def download_missing(self) -> None:
        raise ConfigError(f"download: there is nothing to fetch for {self.root}; leave it out")

    def write_synthetic(self) -> None:
        if not holds_synthetic(self.root, "scenes"):
            write_scenes(self.root)

    def setup(self, stage: str) -> None:
        if stage == "fit":
            raise ConfigError(
                "CocoObjectsDataModule holds whole pictures, and a detector is trained on pictures of one object; fit "
                "it to ImageFolderDataModule for instance, then test --run RUN here with --original_size true"
            )
        if stage != "predict" and not self.measuring.original_size:
            raise ConfigError(
                "CocoObjectsDataModule holds whole pictures with boxes; give --original_size true, from Python "
                "task.measure_as(data, original_size=True)"
            )
        super().setup(stage)

    def make_train_val(self) -> tuple[CocoObjectsDataset, CocoObjectsDataset]:
        pictures = self._read()
        return pictures.subset([]), pictures

    def make_test(self) -> CocoObjectsDataset:
        return self._read()

    def collate_fn(self) -> Collate:
        return collate_objects

    def mix_fn(self) -> Mix:
        raise ConfigError("mixing is for training, and nothing is trained on these pictures; leave it out")
