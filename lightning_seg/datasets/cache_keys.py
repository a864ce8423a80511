"""Keys of disk caches: they depend on the files, how they are read, and the size of the pictures."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray

from lightning_seg.datasets.base import PictureDataset
from lightning_seg.datasets.cache_layout import Layout
from lightning_seg.datasets.fingerprints import fingerprint, own_classes
from lightning_seg.errors import DataError
from lightning_seg.images import READING_POLICY

CACHE_FORMAT = 1
VERSIONS = f"format {CACHE_FORMAT}, policy {READING_POLICY}, Pillow {PIL.__version__}, OpenCV {cv2.__version__}"
"""Versions of the decoders and of the format: the first line of ``Survey.reading``."""
OF_EVERY_DATASET = ("records", "image_size", "pipeline", "cache", "groups")
Dataset = PictureDataset[Any, Any]
Row = tuple[str, ...]
"""Identity of a picture: its files, relative to the root; for the user's own classes also its record."""


class FileState(NamedTuple):
    """A file, as a listing of its folder shows it."""

    name: str  # relative to the root
    size: int
    changed: int  # nanoseconds


class Survey(NamedTuple):
    """The pictures of a cache, in an order that does not depend on that of the datasets."""

    key: str
    layout: Layout
    reading: str
    sources: list[tuple[Dataset, Any]]  # by row, a dataset and its record
    files: list[FileState]
    rows: list[NDArray[np.int64]]  # of each dataset, by sample; -1 where a file is missing


def survey(datasets: Sequence[Dataset], root: Path) -> Survey:
    """Look at every file of some datasets once. Pictures with a missing file are left out.

    Raises:
        DataError: if they have no common size, or a class of the user's own does not tell what its pixels depend on.
    """
    readings = [describe_reading(one) for one in datasets]
    # What is read in two ways is kept twice.
    told = readings if len(set(readings)) > 1 else [""] * len(datasets)
    paths: dict[str, str] = {}
    names = [list(_names(one, root, reading, paths)) for one, reading in zip(datasets, told, strict=True)]
    sources: dict[Row, tuple[Dataset, Any]] = {}
    for one, named in zip(datasets, names, strict=True):
        sources |= {name: (one, record) for name, record in zip(named, one.records, strict=True)}
    found = states_of(paths)
    missing = paths.keys() - found.keys()
    kept = sorted(name for name in sources if missing.isdisjoint(name))
    layout = Layout(len(kept), _size_of_all(datasets), datasets[0].has_masks)
    reading = "\n".join([VERSIONS, *sorted(set(readings))])
    rows = {name: row for row, name in enumerate(kept)}
    by_dataset = [np.array([rows.get(name, -1) for name in named], np.int64) for named in names]
    key = _key(reading, layout, found, kept)
    return Survey(key, layout, reading, [sources[name] for name in kept], list(found.values()), by_dataset)


def _key(reading: str, layout: Layout, files: Mapping[str, FileState], rows: Iterable[Row]) -> str:
    states = (f"{files[name].size} {files[name].changed} {name}" for name in sorted(files))
    lines = "\n".join([reading, str(layout), *states, *map("\n".join, rows)])
    return sha256(lines.encode(errors="surrogateescape")).hexdigest()[:16]


def _size_of_all(datasets: Sequence[Dataset]) -> tuple[int, int]:
    sizes = [one.cached_size() for one in datasets]
    if len(set(sizes)) > 1:
        raise DataError(f"the cache needs one size for all pictures, not {sizes}; give --data.cache ram")
    return sizes[0]


def states_of(paths: Mapping[str, str]) -> dict[str, FileState]:
    """The existing files by name."""
    found: dict[str, FileState] = {}
    for name, path in paths.items():
        try:
            status = os.stat(path)  # noqa: PTH116 - of a hundred thousand, no path is made for it
        except OSError:
            continue
        found[name] = FileState(name, status.st_size, status.st_mtime_ns)
    return found


def describe_reading(dataset: Dataset) -> str:
    """Everything that pixels depend on beside files and size.

    Raises:
        DataError: if a class of the user's own holds values that cannot be compared between processes.
    """
    own = own_classes(type(dataset))
    kinds = {kind for record in {*map(type, dataset.records)} for kind in own_classes(record)} if own else set()
    described = sorted(_comparable(dataset, kind) for kind in {*own, *kinds})
    parts = [*described, _reader(dataset), dataset.reading()]
    if own and not any("reading" in vars(kind) for kind in own):
        held = {name: value for name, value in vars(dataset).items() if name not in OF_EVERY_DATASET}
        parts.append(_comparable(dataset, held))
    return "\n".join(parts)


def _reader(dataset: Dataset) -> str:
    """The class that defines how a dataset is read: classes that differ only in their labels share their pictures."""
    kinds = (kind for kind in type(dataset).__mro__ if {"read", "read_mask"} & vars(kind).keys())
    return next(kinds).__qualname__


def _comparable(dataset: Dataset, value: Any, with_code: bool = True) -> str:
    try:
        return fingerprint(value, with_code)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"{type(dataset).__name__}: there is no telling what its pictures depend on ({error}); add reading() to "
            "the class, which returns that as text, or give --data.cache ram"
        ) from error


def _names(dataset: Dataset, root: Path, reading: str, paths: dict[str, str]) -> Iterator[Row]:
    """The row of each sample; adds the path of every file to ``paths`` by its name."""
    prefix = "" if root == Path() else os.path.join(root, "")  # noqa: PTH118
    is_own = bool(own_classes(type(dataset)))
    for record in dataset.records:
        row = []
        for path in map(str, dataset.files(record)):
            row.append(_relative(path, prefix))
            paths[row[-1]] = path
        if is_own:
            # The code of its class is told once, with that of the dataset's.
            row.append(_comparable(dataset, record, with_code=False))
        yield (*row, reading) if reading else tuple(row)


def _relative(path: str, prefix: str) -> str:
    """Relative to the root; absolute for files elsewhere."""
    return path[len(prefix) :] if path.startswith(prefix) else os.path.abspath(path)  # noqa: PTH100


def relative_name(path: Path, root: Path) -> str:
    """The name of a file in a list: relative to the root, absolute for files elsewhere."""
    return _relative(str(path), "" if root == Path() else os.path.join(root, ""))  # noqa: PTH118


def missing_or_changed(files: Sequence[FileState], root: Path) -> list[str]:
    """The names of files that are missing or have changed."""
    found = states_of({file.name: os.path.join(root, file.name) for file in files})  # noqa: PTH118
    return [file.name for file in files if found.get(file.name) != file]
