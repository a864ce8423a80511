"""The content of both caches, pictures before the random draws, and its layout in files."""

import errno
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lightning_seg.errors import DataError
from lightning_seg.images import Array

ZEROS = 2**20


class Entry(NamedTuple):
    """One sample before the random draws."""

    image: Array  # (H, W, 3)
    mask: Array | None  # (H, W)
    original_size: tuple[int, int]  # (height, width) of the file


class Cache(Protocol):
    """Entries of the samples of a dataset; it returns copies."""

    def get(self, index: int) -> Entry | None:
        """The entry; None if it has to be read."""

    def put(self, index: int, entry: Entry) -> None:
        """Store an entry that was read because it was missing."""


class Layout(NamedTuple):
    """One file per kind of array, for all pictures; a pixel takes 3 bytes, with masks 4."""

    length: int
    image_size: tuple[int, int]  # (height, width)
    with_masks: bool

    def arrays(self) -> dict[str, tuple[Any, tuple[int, ...]]]:
        """Type and shape by name."""
        arrays: dict[str, tuple[Any, tuple[int, ...]]] = {
            "images": (np.uint8, (self.length, *self.image_size, 3)),
            "sizes": (np.int32, (self.length, 2)),
            "filled": (np.bool_, (self.length,)),
        }
        return arrays | ({"masks": (np.uint8, (self.length, *self.image_size))} if self.with_masks else {})

    def file_sizes(self) -> dict[str, int]:
        """Bytes by name."""
        return {name: math.prod(shape) * np.dtype(dtype).itemsize for name, (dtype, shape) in self.arrays().items()}

    def bytes(self) -> int:
        return sum(self.file_sizes().values())

    def needs(self) -> str:
        return f"the cache of {self.length} pictures needs {self.bytes() / 2**20:.0f} MiB"

    def check_room(self, folder: Path, remedy: str) -> None:
        """Raises DataError if the disk of a folder has too little room."""
        free = shutil.disk_usage(folder).free
        if self.bytes() > free:
            raise DataError(f"{self.needs()}, {folder} has {free / 2**20:.0f}; {remedy}")

    def allocate(self, folder: Path) -> None:
        """Raises OSError if the disk has no room."""
        for name, size in self.file_sizes().items():
            allocate(folder / name, size)

    def open(self, folder: Path, mode: Any) -> dict[str, NDArray[Any]]:
        """The arrays of a folder, mapped to memory: ``r`` to read, ``r+`` also to write."""
        return {
            # Not as numpy's memmap, which takes as long for a row as copying a small picture.
            name: np.asarray(np.memmap(folder / name, dtype, mode, shape=shape))
            for name, (dtype, shape) in self.arrays().items()
        }


def entry_of(arrays: Mapping[str, NDArray[Any]], row: int) -> Entry | None:
    """A copy of a stored picture; None if it is not stored."""
    if not arrays["filled"][row]:
        return None
    height, width = arrays["sizes"][row].tolist()
    mask = np.array(arrays["masks"][row]) if "masks" in arrays else None
    return Entry(np.array(arrays["images"][row]), mask, (height, width))


def allocate(path: Path, size: int) -> None:
    """A file of ``size`` zeros whose blocks on the disk are really allocated.

    Writing to a mapped file without allocated blocks kills the process when the disk is full.

    Raises:
        OSError: if the disk has no room.
    """
    with path.open("xb") as file:
        try:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)
        except (AttributeError, OSError) as error:
            # Some systems and disks cannot; then the zeros are written.
            if isinstance(error, OSError) and error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            for start in range(0, size, ZEROS):
                file.write(bytes(min(ZEROS, size - start)))
