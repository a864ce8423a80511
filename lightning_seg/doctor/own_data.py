"""The user's own datamodule as one of this package, so that its pictures can be looked at."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from PIL import Image
from pytorch_lightning.utilities.model_helpers import is_overridden

from lightning_seg.augmentation.collate import collate_segmentation
from lightning_seg.augmentation.mixing import Mix, mix_segmentation
from lightning_seg.batch import IGNORE_INDEX, Split
from lightning_seg.datamodules.data_module import DataModule
from lightning_seg.datamodules.picture_source import Collate
from lightning_seg.datasets.base import ClassificationDataset, PictureDataset, SegmentationDataset
from lightning_seg.datasets.stray_values import class_indices
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.images import Array
from lightning_seg.progress import counted
from lightning_seg.tasks.batches import keys_of

log = logging.getLogger(__name__)
LOADERS: Mapping[Split, str] = {"train": "train_dataloader", "val": "val_dataloader", "test": "test_dataloader"}
MOST = 2000
"""Samples of a split that are looked at; those without a file are written to the disk for it."""


class Record(NamedTuple):
    """A sample of the user's."""

    path: Path
    number: int  # in its dataset
    label: int | None = None


class OwnMasks(SegmentationDataset[Record]):
    """Samples ``{image, mask}`` of the user's own dataset.

    Args:
        samples: the dataset.
        records: its samples that are looked at.
        class_names: in the order of the mask's numbers.
    """

    def __init__(self, samples: Any, records: Sequence[Record], class_names: tuple[str, ...]) -> None:
        self.samples, self.class_names = samples, class_names
        super().__init__(records)

    def image_path(self, record: Record) -> Path:
        return record.path

    def read_mask(self, record: Record) -> Array:
        return class_indices(
            np.asarray(self.samples[record.number]["mask"]),
            self.class_names,
            lambda wrong: (
                f"sample {record.number}: the mask holds {', '.join(map(str, wrong))}, and there are "
                f"{len(self.class_names)} classes from 0 on; correct it, or use {IGNORE_INDEX} for what is ignored"
            ),
            ignored=IGNORE_INDEX,
        )


class OwnLabels(ClassificationDataset[Record]):
    """Samples ``{image, label}`` of the user's own dataset; see ``OwnMasks``."""

    def __init__(self, records: Sequence[Record], class_names: tuple[str, ...]) -> None:
        self.class_names = class_names
        super().__init__(records)

    def image_path(self, record: Record) -> Path:
        return record.path

    def label(self, record: Record) -> int:
        return -1 if record.label is None else record.label


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

    def prepare_data(self) -> None:
        self.data.prepare_data()

    def make_train_val(self) -> tuple[PictureDataset[Any, Any], PictureDataset[Any, Any] | None]:
        self.data.setup("fit")
        train, val = self._look("train"), self._look("val")
        if train is None:
            raise DataError(f"{type(self.data).__name__} has no train_dataloader; add one")
        return train, val

    def make_test(self) -> PictureDataset[Any, Any]:
        self.data.setup("test")
        test = self._look("test")
        if test is None:
            raise DataError(f"{type(self.data).__name__} has no test_dataloader; add one to test on other pictures")
        return test

    def _look(self, split: Split) -> PictureDataset[Any, Any] | None:
        if not is_overridden(LOADERS[split], self.data):
            return None
        samples = getattr(getattr(self.data, LOADERS[split])(), "dataset", None)
        if isinstance(samples, PictureDataset):
            return samples.subset(range(len(samples)))
        if not hasattr(samples, "__getitem__") or not hasattr(samples, "__len__"):
            raise ConfigError(
                f"{type(self.data).__name__}: the {split} loader has no dataset with length and samples by number, so "
                "there is nothing to look at; give it one"
            )
        number = min(len(samples), MOST)  # type: ignore[arg-type]
        if number < len(samples):  # type: ignore[arg-type]
            log.warning("%d of %d samples of %s are looked at", number, len(samples), split)  # type: ignore[arg-type]
        found = list(counted(self._records(samples, number, split), f"asking for samples of {split}", number))
        if found and found[0].label is None:
            return OwnMasks(samples, found, self._names(int(_most(samples, found)) + 1))
        return OwnLabels(found, self._names(1 + max((one.label or 0 for one in found), default=0)))

    def _records(self, samples: Any, number: int, split: Split) -> Iterator[Record]:
        for index in range(number):
            sample = keys_of(samples[index], split)
            path = Path(str(sample.get("path", "")))
            if not path.is_file():
                path = self.folder / split / f"{index:06}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(_pixels(sample["image"])).save(path)
            if not {"mask", "label"} & sample.keys():
                raise DataError(
                    f"sample {index} of {split} has neither mask nor label, so nothing can be said; add one"
                )
            yield Record(path, index, _label(sample["label"]) if "label" in sample else None)

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


def _label(label: Any) -> int:
    """A class index; of shares of classes, as mixing gives them, the largest."""
    told = torch.as_tensor(label)
    return int(told.argmax() if told.ndim else told)


@contextmanager
def as_known(data: pl.LightningDataModule) -> Iterator[DataModule[Any]]:
    """A datamodule as one of this package: itself, or one around it with a folder that lasts as long as the block."""
    if isinstance(data, DataModule):
        yield data
        return
    with TemporaryDirectory() as folder:
        yield _OwnData(data, Path(folder))


def _most(samples: Any, records: Sequence[Record]) -> int:
    """The largest class index of the first masks."""
    masks = (np.asarray(samples[record.number]["mask"]) for record in records[:100])
    return max((int(mask[mask != 255].max(initial=0)) for mask in masks), default=0)


def _pixels(image: Any) -> NDArray[np.uint8]:
    """``(3, H, W)`` uint8, or floats from 0 to 1, as ``(H, W, 3)`` uint8."""
    pixels = torch.as_tensor(image)
    if pixels.is_floating_point():
        pixels = (pixels.clamp(0, 1) * 255).round()
    return pixels.to(torch.uint8).permute(1, 2, 0).cpu().numpy()
