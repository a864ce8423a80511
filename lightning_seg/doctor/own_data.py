"""The user's own datamodule as one of this package, so that its pictures can be looked at."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.model_helpers import is_overridden

from lightning_seg.augmentation.collate import collate_segmentation
from lightning_seg.augmentation.mixing import Mix, mix_segmentation
from lightning_seg.batch import Split
from lightning_seg.datamodules.data_module import DataModule
from lightning_seg.datamodules.picture_source import Collate
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.doctor.findings import Finding
from lightning_seg.doctor.own_samples import (
    UNSEEN,
    Failed,
    OwnLabels,
    OwnMasks,
    Record,
    UnseenError,
    about_failed,
    most_index,
    of_the_user,
    read_record,
)
from lightning_seg.errors import DataError
from lightning_seg.progress import counted

log = logging.getLogger(__name__)
LOADERS: Mapping[Split, str] = {"train": "train_dataloader", "val": "val_dataloader", "test": "test_dataloader"}
MOST = 2000
"""Samples of a split that are looked at; those without a file are written to the disk for it."""


class _OwnData(DataModule[PictureDataset[Any, Any]]):
    """The samples of a user's datamodule, of each split at most ``MOST``.

    Args:
        data: the user's.
        folder: where samples that tell no ``path`` are written as pictures.
    """

    def __init__(self, data: pl.LightningDataModule, folder: Path) -> None:
        super().__init__(getattr(data, "root", folder), image_size=getattr(data, "image_size", None), num_workers=0)
        self.data, self.folder = data, folder
        self.class_names = tuple(map(str, getattr(data, "class_names", ())))
        self.failed: list[Failed] = []
        self.unseen: list[str] = []
        self.loaders: dict[Split, Any] = {}

    @property
    def title(self) -> str:
        """What the user calls it, and where its files lie."""
        kind = type(self.data)
        return f"{kind.__module__}.{kind.__qualname__}{f' in {self.root}' if hasattr(self.data, 'root') else ''}"

    def prepare_data(self) -> None:
        of_the_user(f"{self.title}.prepare_data", self.data.prepare_data)

    def make_train_val(self) -> tuple[PictureDataset[Any, Any], PictureDataset[Any, Any] | None]:
        self._set_up_own("fit")
        train = self._look("train")
        if train is None:
            raise DataError(f"{type(self.data).__name__} has no train_dataloader; add one")
        try:
            return train, self._look("val")
        except UnseenError as error:
            self.unseen.append(str(error))
            return train, None

    def make_test(self) -> PictureDataset[Any, Any]:
        self._set_up_own("test")
        test = self._look("test")
        if test is None:
            raise DataError(f"{type(self.data).__name__} has no test_dataloader; add one to test on other pictures")
        return test

    def _set_up_own(self, stage: str) -> None:
        of_the_user(f"{self.title}.setup({stage!r})", lambda: self.data.setup(stage))

    def _look(self, split: Split) -> PictureDataset[Any, Any] | None:
        if not is_overridden(LOADERS[split], self.data):
            return None
        loader = of_the_user(f"{self.title}.{LOADERS[split]}", getattr(self.data, LOADERS[split]))
        if loader is None or loader == []:
            return None
        self.loaders[split], samples = loader, getattr(loader, "dataset", None)
        if isinstance(samples, PictureDataset):
            return samples.subset(range(len(samples)))
        if not hasattr(samples, "__getitem__") or not hasattr(samples, "__len__"):
            raise UnseenError(f"{self.title}: the samples of {LOADERS[split]} cannot be asked for by number")
        return self._as_pictures(samples, self._records(samples, split))

    def _as_pictures(self, samples: Any, found: Sequence[Record]) -> PictureDataset[Any, Any]:
        if found[0].label is None:
            return OwnMasks(samples, found, self._names(most_index(samples, found) + 1))
        return OwnLabels(found, self._names(1 + max(one.label or 0 for one in found)))

    def _records(self, samples: Any, split: Split) -> list[Record]:
        """The samples that can be had.

        Raises:
            DataError: if there are none.
        """
        number = min(len(samples), MOST)
        if number < len(samples):
            log.warning("%d of %d samples of %s are looked at", number, len(samples), split)
        found, failed = [], []
        for index in counted(range(number), f"asking for samples of {split}", number):
            try:
                found.append(read_record(samples, index, split, self.folder, self.class_names))
            except DataError as error:
                failed.append(Failed(split, index, str(error)))
        if not found:
            first = f"; the first: {failed[0].reason}" if failed else ""
            raise DataError(f"none of {len(samples)} samples of {split} can be used{first}")
        self.failed += failed
        return found

    def _names(self, number: int) -> tuple[str, ...]:
        """Those of the user's datamodule, or numbers."""
        if not self.class_names:
            self.class_names = tuple(f"class_{index}" for index in range(number))
        return self.class_names

    def download_missing(self) -> None:
        """The user's own datamodule has done it."""

    def write_synthetic(self) -> None:
        """Likewise."""

    def collate_fn(self) -> Collate:
        return collate_segmentation

    def mix_fn(self) -> Mix:
        return mix_segmentation


@contextmanager
def as_known(data: pl.LightningDataModule) -> Iterator[DataModule[Any]]:
    """A datamodule as one of this package: itself, or one around it with a folder that lasts as long as the block."""
    if isinstance(data, DataModule):
        yield data
        return
    with TemporaryDirectory() as folder:
        yield _OwnData(data, Path(folder))


def name_of(data: DataModule[Any]) -> str:
    """The user's class; empty for datamodules of this package, which are known by their folder."""
    return data.title if isinstance(data, _OwnData) else ""


def without_folder(value: Any, data: DataModule[Any] | None) -> Any:
    """Plain values in which samples that tell no ``path`` have no place in the folder that they lay in: their split
    and number stay, ``train/000010.png``.
    """
    if not isinstance(data, _OwnData):
        return value
    if isinstance(value, Mapping):
        return {without_folder(key, data): without_folder(held, data) for key, held in value.items()}
    if isinstance(value, list):
        return [without_folder(held, data) for held in value]
    return value.replace(f"{data.folder}{os.sep}", "") if isinstance(value, str) else value


def about_samples(data: DataModule[Any]) -> Iterator[Finding]:
    """What is to say of the samples of the user's own, once it was set up."""
    if isinstance(data, _OwnData):
        yield from about_failed(data.failed)
        yield from (Finding(UNSEEN, count=1, detail=reason) for reason in data.unseen)


def train_loader_of(data: DataModule[Any]) -> Any:
    """The user's own loader of training samples, once it was set up; None for datamodules of this package."""
    return data.loaders.get("train") if isinstance(data, _OwnData) else None
