"""Questions to a datamodule that may be the user's own and have no attribute of this package's."""

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.utilities.model_helpers import is_overridden

from lightning_seg.checkpoints import CHECKPOINT_KEY, read_checkpoint
from lightning_seg.datamodules.pictures import PicturesDataModule
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.looking import picture_size


def shown_size(data: pl.LightningDataModule, checkpoint: str | None) -> tuple[int, int] | None:
    """(height, width) at which pictures are shown to the network; None where they are as their files.

    Args:
        data: of the run; where it does not say so, the size of the batches of the training counts.
        checkpoint: of the run, which knows that.
    """
    if hasattr(data, "image_size") or checkpoint is None or not Path(checkpoint).is_file():
        return picture_size(data)
    size = (read_checkpoint(checkpoint).get(CHECKPOINT_KEY) or {}).get("image_size")
    return None if size is None else (int(size[0]), int(size[1]))


def unlabelled_pictures(data: pl.LightningDataModule) -> list[str]:
    """The pictures of a dataset that have no mask yet.

    Raises:
        ConfigError: if its datamodule does not know what that is.
        DataError: if there is none, or its files are missing.
    """
    if not hasattr(data, "unlabelled_pictures"):
        raise ConfigError(
            f"images unlabelled: {type(data).__name__} does not say which pictures have no mask; give --images with "
            "files, a folder or a quoted pattern"
        )
    data.prepare_data()
    return [str(path) for path in data.unlabelled_pictures()]


def pictures_in_place_of(
    data: pl.LightningDataModule, images: Sequence[str], size: tuple[int, int] | None
) -> PicturesDataModule:
    """The files of ``--images``, read at ``size`` with the loaders of a datamodule as far as it knows some."""
    own = {name: getattr(data, name, None) for name in ("batch_size", "num_workers")}
    known = {name: value for name, value in own.items() if isinstance(value, int)}
    pictures = PicturesDataModule(images, size, **known)
    pictures.mask_encoding = getattr(data, "mask_encoding", None)
    return pictures


def check_predictable(data: pl.LightningDataModule) -> None:
    """Raises ConfigError if a datamodule has nothing to predict."""
    if not is_overridden("predict_dataloader", data):
        raise ConfigError(
            f"{type(data).__name__} has no predict_dataloader; give --images, or add one to it, for instance with what "
            "test_dataloader returns"
        )


def validates(data: pl.LightningDataModule) -> bool:
    """Whether there is anything to validate on."""
    known: bool | None = getattr(data, "validates", None)
    return is_overridden("val_dataloader", data) if known is None else known
