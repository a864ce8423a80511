"""Decoded and resized pictures, kept in a memory-mapped temporary file that all loader workers share."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from lightning_seg.errors import DataError
from lightning_seg.images import Array

Entry = tuple[Array, Array, tuple[int, int]]


class PictureCache:
    """Images, masks and original sizes of ``length`` samples of ``(H, W)`` pixels; 4 bytes per pixel.

    It holds what comes before the random draws, so it changes nothing but the time. Works with fork and spawn. The
    file is removed when its creator ends.

    Raises:
        DataError: if the temporary folder has no room for it.
    """

    def __init__(self, length: int, image_size: tuple[int, int]) -> None:
        self.length, self.image_size = length, image_size
        folder = tempfile.gettempdir()
        needed, free = length * (image_size[0] * image_size[1] * 4 + 9), shutil.disk_usage(folder).free
        if needed > free:
            raise DataError(
                f"the cache of {length} pictures needs {needed / 2**20:.0f} MiB, {folder} has {free / 2**20:.0f}; "
                "set --data.cache false, or the environment variable TMPDIR to a larger folder"
            )
        self.folder = tempfile.mkdtemp(prefix="lightning_seg_cache_", dir=folder)
        weakref.finalize(self, _remove, self.folder, os.getpid())
        self._open("w+")

    def _open(self, mode: Any) -> None:
        def array(name: str, dtype: Any, *shape: int) -> np.memmap:
            return np.memmap(Path(self.folder) / name, dtype, mode, shape=(self.length, *shape))

        self.images = array("images", np.uint8, *self.image_size, 3)
        self.masks = array("masks", np.uint8, *self.image_size)
        self.sizes = array("sizes", np.int32, 2)
        self.filled = array("filled", np.bool_)

    def get(self, index: int) -> Entry | None:
        if not self.filled[index]:
            return None
        height, width = self.sizes[index].tolist()
        return np.array(self.images[index]), np.array(self.masks[index]), (height, width)

    def put(self, index: int, entry: Entry) -> None:
        self.images[index], self.masks[index], self.sizes[index] = entry
        # Last, so that a worker that looks in between finds nothing rather than half a picture.
        self.filled[index] = True

    def __getstate__(self) -> dict[str, Any]:
        return {"length": self.length, "image_size": self.image_size, "folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open("r+")


def _remove(folder: str, creator: int) -> None:
    # Forked workers inherit this finalizer; only the creator may delete.
    if os.getpid() == creator:
        shutil.rmtree(folder, ignore_errors=True)
