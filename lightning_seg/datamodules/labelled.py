"""Base of the datamodules of labelled pictures whose splits are drawn by class."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Unpack

from lightning_seg.batch import Split
from lightning_seg.datamodules.base import ClassificationDataModule
from lightning_seg.datamodules.options import SizedLoading
from lightning_seg.datamodules.split_plan import DEFAULT_FRACTION, PURPOSES
from lightning_seg.datamodules.splits import check_fractions, draw_by_class
from lightning_seg.datasets.base import ClassificationDataset
from lightning_seg.datasets.labelled import LabelledDataset, LabelledPicture
from lightning_seg.errors import DataError


class LabelledDataModule(ClassificationDataModule, ABC):
    """Splits with the same share of every class, unless folders or lists give them.

    Args:
        root: folder of the dataset.
        val_fraction: share of the pictures to validate on; with 0 the last epoch counts as the best.
        test_fraction: share of the pictures to test on; 0 leaves none.
        options: see ``DataModule``.

    Raises:
        ConfigError: if an argument has an impossible value.
    """

    dividing = (*ClassificationDataModule.dividing, "test_fraction")

    def __init__(
        self,
        root: str | Path,
        val_fraction: float = DEFAULT_FRACTION,
        test_fraction: float = DEFAULT_FRACTION,
        **options: Unpack[SizedLoading],
    ) -> None:
        super().__init__(root, val_fraction=val_fraction, **options)
        check_fractions(val_fraction, test_fraction)
        self.test_fraction = test_fraction
        self._all: LabelledDataset | None = None

    @property
    def validates(self) -> bool:
        return self.val_fraction > 0

    @abstractmethod
    def read_pictures(self) -> LabelledDataset:
        """All pictures of the dataset."""

    def group(self, picture: LabelledPicture) -> str:
        """Pictures of one group stay in one split."""
        return picture.name

    def remedy(self, split: Split, pictures: list[LabelledPicture]) -> str:
        """The remedy for a split without pictures, for the message."""
        return f"train with a --data.{split}_fraction above 0"

    def make_train_val(self) -> tuple[LabelledDataset, LabelledDataset | None]:
        train, *val = self._parts("train", "val") if self.validates else self._parts("train")
        return train, val[0] if val else None

    def make_test(self) -> LabelledDataset:
        return self._parts("test")[0]

    def keepable(self) -> list[ClassificationDataset[Any]]:
        pictures = self._all or self.read_pictures()
        # Where nothing is told, other pictures are tested on then.
        return [pictures.over([picture for picture in pictures.records if picture.split != "test"])]

    def _parts(self, *splits: Split) -> list[LabelledDataset]:
        """The pictures of splits, from one reading of all of them."""
        pictures = self._all = self.read_pictures()
        if pictures.class_names != self.class_names:
            raise DataError(
                f"{self.root}: the classes are {', '.join(pictures.class_names)}, not {', '.join(self.class_names)} as "
                "when the datamodule was built; build it anew"
            )
        chosen = self._divide(pictures.records)
        for split in splits:
            if not chosen[split]:
                remedy = self.remedy(split, pictures.records)
                raise DataError(f"{self.root}: no pictures to {PURPOSES[split]} on; {remedy}")
        return [pictures.subset(chosen[split]) for split in splits]

    def _divide(self, pictures: list[LabelledPicture]) -> dict[Split, list[int]]:
        listed = [picture.split for picture in pictures]
        told = any(split is not None for split in listed)
        fractions: dict[Split, float] = {"test": 0.0 if told else self.test_fraction, "val": self.val_fraction}
        labels, groups = [picture.label for picture in pictures], [self.group(picture) for picture in pictures]
        listed = listed if told else ["train"] * len(pictures)
        return draw_by_class(listed, labels, groups, fractions, self.seed, self.class_names)
