"""The disk caches of a dataset: where they are, their list, and which ones nobody can use any more."""

import json
import os
import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from lightning_seg.datasets.cache_keys import VERSIONS, FileState, missing_or_changed
from lightning_seg.datasets.cache_layout import Layout
from lightning_seg.datasets.fact_store import FILE as FACTS
from lightning_seg.datasets.stored_pictures import FILES, INDEX, LOCK, TAGS, describe, filling_alone
from lightning_seg.errors import DataError
from lightning_seg.json_files import read_json

FOLDER, ELSEWHERE = ".lightning_seg_cache", "LIGHTNING_SEG_CACHE_DIR"


class Kept(NamedTuple):
    """A cache on the disk."""

    folder: Path
    bytes: int
    holds: str
    outdated: str  # why nobody can use it any more; empty where somebody can


def folder_of_caches(root: Path, cache_dir: Path | None) -> Path:
    """The folder of the caches of a dataset.

    Args:
        root: folder of the dataset.
        cache_dir: folder for the caches of all datasets; None takes that of the environment variable
            ``LIGHTNING_SEG_CACHE_DIR``, and without it a hidden folder in ``root``.
    """
    cache_dir = cache_dir or Path(os.environ.get(ELSEWHERE, ""))
    if cache_dir == Path():
        return root / FOLDER
    # Folders of several datasets are called the same.
    absolute = root.expanduser().resolve()
    return cache_dir / f"{absolute.name}-{sha256(str(absolute).encode(errors='surrogateescape')).hexdigest()[:8]}"


def list_caches(place: Path, root: Path) -> list[Kept]:
    """All caches of a dataset, ordered by name."""
    folders = sorted(path.parent for path in place.glob(f"[!.]*/{INDEX}"))
    return [_look(folder, root) for folder in folders]


def _look(folder: Path, root: Path) -> Kept:
    size = sum(path.stat().st_size for path in folder.iterdir())
    try:
        index = read_json(folder / INDEX, "remove it")
        layout, made_with = Layout(**index["layout"]), index["reading"][0]
        files = [FileState(*state) for state in json.loads((folder / FILES).read_text())]
    # Whatever may lie there instead.
    except (DataError, OSError, ValueError, TypeError, LookupError):
        return Kept(folder, size, "something", "of another version")
    if made_with != VERSIONS:
        return Kept(folder, size, describe(layout), f"made with {made_with}")
    changed = missing_or_changed(files, root)
    more = f" and {len(changed) - 1} more files have" if changed[1:] else " has"
    return Kept(folder, size, describe(layout), f"{changed[0]}{more} changed since" if changed else "")


def remove_caches(place: Path, caches: Iterable[Kept]) -> None:
    """Remove some caches, and the folder if it is then empty.

    Raises:
        DataError: if that is not allowed.
    """
    with filling_alone(place):
        for cache in caches:
            # Nobody takes half a cache for a whole one.
            (cache.folder / INDEX).unlink(missing_ok=True)
            shutil.rmtree(cache.folder)
    # Without a cache, what is known of the files would lie there alone.
    if {path.name for path in place.iterdir()} <= {*TAGS, LOCK, FACTS}:
        shutil.rmtree(place, ignore_errors=True)
