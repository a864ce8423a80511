"""Decoded and resized pictures on the disk: one cache for all seeds, runs, processes and start methods.

It is in ``root/.lightning_seg_cache/KEY/``, or in ``cache_dir/NAME/KEY/``. The key depends on the files, their sizes
and dates, how they are read, and the size of the pictures, so any change leads to another cache.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lightning_seg.datasets.cache_folders import folder_of_caches, list_caches
from lightning_seg.datasets.cache_keys import Dataset, survey
from lightning_seg.datasets.stored_pictures import StoredPictures, is_whole, make_whole
from lightning_seg.errors import ConfigError

log = logging.getLogger(__name__)
Cached = bool | Literal["ram", "disk"]


def check_cache(cache: Cached, cache_dir: object) -> Cached:
    """Raises ConfigError if there is no such kind of cache, or it has no folder."""
    if cache not in (False, True, "ram", "disk"):
        raise ConfigError(f"cache {cache!r} does not exist; choose false, ram or disk")
    if cache == "ram" and cache_dir is not None:
        raise ConfigError(f"cache_dir {cache_dir} is for what stays, and cache ram goes; give --data.cache disk")
    return cache


def open_kept(
    pictures: Sequence[Dataset], parts: Sequence[Dataset], root: Path, cache_dir: Path | None, fills: bool
) -> Path | None:
    """Let datasets read from a cache.

    Args:
        pictures: the other pictures of the cache; these may be broken.
        parts: the datasets.
        root: folder of the dataset.
        cache_dir: folder for caches, in place of one in ``root``.
        fills: whether a missing cache is filled.

    Returns:
        Its folder; None if there is none.

    Raises:
        DataError: if it cannot be filled.
    """
    place, found = folder_of_caches(root, cache_dir), survey([*parts, *pictures], root)
    rows = found.rows[: len(parts)]
    folder = place / found.key
    if fills:
        if not is_whole(folder, found.layout):
            _name_old(place, root)
        make_whole(place, found, root, needed={row for part in rows for row in part.tolist()})
    elif not is_whole(folder, found.layout):
        return None
    for part, own in zip(parts, rows, strict=True):
        part.cache = StoredPictures(folder, found.layout, own)
    return folder


def _name_old(place: Path, root: Path) -> None:
    """Log caches that nobody can use any more, while a new one takes room."""
    old = [cache for cache in list_caches(place, root) if cache.outdated]
    if old:
        log.warning(
            "%s holds %d old %s, %.1f MiB (%s); lightning-seg cache with the same flags of data and --remove old frees "
            "them",
            place,
            len(old),
            "cache" if len(old) == 1 else "caches",
            sum(cache.bytes for cache in old) / 2**20,
            old[0].outdated,
        )
