"""The base of all datamodules: built from checkpoints without running code, and set up before it loads."""

from abc import ABC, abstractmethod
from typing import Any, Self

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from lightning_seg.checkpoints import check_loadable
from lightning_seg.errors import ConfigError


class StoredDataModule(pl.LightningDataModule, ABC):
    """A LightningDataModule that runs no code of a checkpoint when it is built from it."""

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Self:
        """As Lightning's. ``weights_only=False`` trusts the file, as everywhere in torch.

        Raises:
            ConfigError: naming the entry that is no plain value or no argument of the class.
        """
        if kwargs.get("weights_only") is not False:
            kwargs["weights_only"] = True
            check_loadable(cls, checkpoint_path, args, kwargs, cls.CHECKPOINT_HYPER_PARAMS_KEY)
        data: Self = super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
        return data

    @abstractmethod
    def predict_dataloader(self) -> DataLoader[Any]:
        """Pictures without labels."""


def not_set_up(data: pl.LightningDataModule, stage: str) -> ConfigError:
    """The error about a loader that is asked for before its stage was set up."""
    return ConfigError(
        f"{type(data).__name__} is not set up for {stage}; call prepare_data() and setup({stage!r}) before you ask for "
        "its loaders, or give it to a Trainer, which does"
    )
