"""Pictures of the run that a file is proved on, with what is true of them."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytorch_lightning as pl
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.images import Array, read_image

Spread = TypeVar("Spread")
NO_DATA = "or give any pictures with --images"


class Seen(NamedTuple):
    """A picture of the validation split as the network sees it."""

    name: str
    shown: Array  # (h, w, 3) uint8 at the size of training
    truth: Tensor  # its mask (h, w) or its label ()

    def decoded(self) -> Array:
        """``(H, W, 3)`` as its file is; data of the user's own need not name one."""
        return read_image(self.name) if self.name else self.shown


def validation_pictures(data: pl.LightningDataModule, truth: str, number: int) -> list[Seen]:
    """Pictures of the validation split, evenly spread over it: splits may be ordered by class.

    Raises:
        ConfigError: if there are none, or the data is not there.
    """
    if isinstance(data, DataModule):
        # A few pictures are looked at once.
        data.cache = False
        data.file_checks.checks = False
    try:
        data.prepare_data()
        data.setup("fit")
        found = list(_first(_spread(data.val_dataloader(), number), truth, number))
    except DataError as error:
        raise ConfigError(f"{error}, {NO_DATA}") from error
    if not found:
        raise ConfigError(f"the run's data has no picture to validate on; give --data.root, {NO_DATA}")
    return found


def spread(values: Sequence[Spread], number: int) -> list[Spread]:
    """So many of them at most, evenly spread: splits may be ordered by class."""
    return [values[index] for index in _places(len(values), number)]


def _places(length: int, number: int) -> list[int]:
    if length <= number:
        return list(range(length))
    places: list[int] = np.linspace(0, length - 1, number).round().astype(int).tolist()
    return places


def _spread(loader: Any, number: int) -> Any:
    """The loader for so many pictures of its split; one that cannot be asked by number stays as it is."""
    pictures: Any = getattr(loader, "dataset", None)
    if not (hasattr(pictures, "__len__") and hasattr(pictures, "__getitem__")) or len(pictures) <= number:
        return loader
    return DataLoader(
        Subset(pictures, _places(len(pictures), number)), loader.batch_size or 1, collate_fn=loader.collate_fn
    )


def _first(loader: Any, truth: str, number: int) -> Iterator[Seen]:
    left = number
    for batch in loader:
        images, truths = batch["image"], batch[truth]
        names = batch.get("path", [""] * len(images))
        for image, one, name in zip(images[:left], truths, names, strict=False):
            yield Seen(str(name), np.ascontiguousarray(image.permute(1, 2, 0).numpy()), one)
        left -= len(images)
        if left <= 0:
            return
