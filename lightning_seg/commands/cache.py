"""``lightning-seg cache``: decodes pictures before the first run, and removes caches."""

from typing import Any, Literal

import pytorch_lightning as pl

from lightning_seg.commands.data_flags import keep_data as prepare_flags
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datasets.cache_folders import Kept, folder_of_caches, list_caches, remove_caches
from lightning_seg.errors import ConfigError
from lightning_seg.files import printable

__all__ = ["cache", "prepare_flags"]


def cache(data: pl.LightningDataModule | None = None, remove: Literal["old", "all"] | None = None) -> None:
    """Fill the cache that runs with --data.cache disk read from, unless it is there; and name all caches of these data.

    It also takes the flags of fit: one or several --config, --run RUN, --data.x VALUE. Those that are not about data
    are left aside.

    Args:
        data: Class of the data.
        remove: Take caches away instead: old, those of which files have changed or that another version has made; or
            all.
    """
    if data is None:
        raise ConfigError("there is no data section; give --config pets, --run RUN or --data CLASS")
    if not isinstance(data, DataModule):
        raise ConfigError(f"{type(data).__name__} keeps no pictures; a cache is for the datamodules of lightning_seg")
    if remove is None:
        _fill(data)
    else:
        _remove(data, remove == "all")


def _fill(data: DataModule[Any]) -> None:
    data.cache = "disk"
    data.prepare_data()
    data.setup("fit")
    folder = data.open_cache()
    for kept in _list(data):
        print(printable(f"{kept.folder}: {_describe(kept)}{', of this config' if kept.folder == folder else ''}"))
    if old := [kept for kept in _list(data) if kept.outdated]:
        print(f"{_size(old)} can be freed: the same command with --remove old")


def _remove(data: DataModule[Any], everything: bool) -> None:
    caches = [kept for kept in _list(data) if everything or kept.outdated]
    if not caches:
        print(f"{folder_of_caches(data.root, data.cache_dir)}: no {'' if everything else 'old '}cache is there")
        return
    remove_caches(folder_of_caches(data.root, data.cache_dir), caches)
    for kept in caches:
        print(printable(f"{kept.folder}: removed, {_describe(kept)}"))


def _list(data: DataModule[Any]) -> list[Kept]:
    return list_caches(folder_of_caches(data.root, data.cache_dir), data.root)


def _describe(kept: Kept) -> str:
    return f"{kept.holds}{f'; old: {kept.outdated}' if kept.outdated else ''}"


def _size(caches: list[Kept]) -> str:
    return f"{sum(kept.bytes for kept in caches) / 2**20:.1f} MiB"
