"""The arguments that constructors of datamodules hand on to their base classes, by name and type."""

from pathlib import Path
from typing import Literal, TypedDict

from lightning_seg.augmentation.mixing import Mixing
from lightning_seg.augmentation.pipelines import Augment
from lightning_seg.datamodules.file_checks import Unreadable
from lightning_seg.datamodules.kept import Cached


class Loading(TypedDict, total=False):
    """See ``DataModule``."""

    source: Literal["real", "synthetic"]
    num_workers: int | None
    augment: Augment
    mixing: Mixing | None
    seed: int
    cache: Cached
    cache_dir: str | Path | None
    download: bool
    start_method: Literal["fork", "spawn", "forkserver"] | None
    persistent_workers: bool
    check_pictures: bool
    unreadable: Unreadable


class BatchedLoading(Loading, total=False):
    """See ``DataModule``."""

    batch_size: int


class SizedLoading(BatchedLoading, total=False):
    """See ``DataModule``."""

    image_size: int | tuple[int, int] | None


class WholeLoading(BatchedLoading, total=False):
    """See ``DataModule``."""

    val_fraction: float
