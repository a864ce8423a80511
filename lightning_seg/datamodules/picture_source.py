"""The part of a datamodule that each dataset says itself: its pictures, how they are divided, and their labels."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from lightning_seg.augmentation.mixing import Mix
from lightning_seg.datamodules.stored import StoredDataModule
from lightning_seg.datasets.base import PictureDataset

Collate = Callable[[Sequence[Any]], Any]
Pictures = TypeVar("Pictures", bound=PictureDataset[Any, Any])


class PictureSource(StoredDataModule, Generic[Pictures], ABC):
    """The part of a ``DataModule`` that differs between datasets."""

    class_names: tuple[str, ...]
    default_pipeline: ClassVar[str] = "flip"
    dividing: ClassVar[tuple[str, ...]] = ("seed", "val_fraction")
    """Arguments that divide the pictures, for where these cannot be compared themselves."""
    listing: ClassVar[tuple[str, ...]] = ()
    """Arguments beside ``root`` and ``source`` that say which pictures there are; they may divide them anew, too."""
    deciding: ClassVar[tuple[str, ...]] = ("root", "source", "unreadable")
    """Arguments beside both that decide which pictures take part, and what is true of them."""
    trains: ClassVar[bool] = True
    """Whether networks are trained on its pictures; the others are there to measure detectors on."""
    takes_class_names: ClassVar[bool] = False
    """Whether an argument ``classes`` holds their names, so that a checkpoint can say them."""

    passed_over: Sequence[str] = ()
    """Paths of files that no split takes although they lie among the pictures, as far as the set-up has seen."""

    @property
    def validates(self) -> bool:
        """Whether there are pictures to validate on, and so a best epoch."""
        return True

    @abstractmethod
    def download_missing(self) -> None:
        """Fetch the real files that are missing in ``root``."""

    @abstractmethod
    def write_synthetic(self) -> None:
        """Write the synthetic stand-in, in the same layout, into ``root``."""

    @abstractmethod
    def make_train_val(self) -> tuple[Pictures, Pictures | None]:
        """Training and validation pictures, without pipeline; the second may be None."""

    @abstractmethod
    def make_test(self) -> Pictures:
        """The test pictures."""

    def keepable(self) -> list[Pictures]:
        """The pictures that any seed would train or validate on; a cache on the disk holds all of them."""
        return []

    @abstractmethod
    def collate_fn(self) -> Collate:
        """Stacks samples to a batch."""

    @abstractmethod
    def mix_fn(self) -> Mix:
        """Applies the draws of ``mixing`` to a batch."""

    def group(self, record: Any) -> str | None:
        """The group of a picture; pictures of one group are no independent samples. None: a group of its own."""
        return None

    def check_pipeline(self) -> None:
        """Raises ConfigError if the pipeline does not fit the labels."""
