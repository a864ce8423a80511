"""Decoded and resized pictures, kept in a memory-mapped temporary file that all loader workers share."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lightning_seg.errors import DataError
from lightning_seg.images import Array


class Entry(NamedTuple):
    """One sample before the random draws."""

    image: Array  # (H, W, 3)
    mask: Array | None  # (H, W)
    original_size: tuple[int, int]  # (height, width) of the file


class PictureCache:
    """Images, original sizes and, if there are any, masks of ``length`` samples of ``(H, W)`` pixels.

    A pixel takes 3 bytes, with masks 4. The file holds what comes before the random draws, so it changes nothing but
    the time. Works with fork and spawn. The file is removed when its creator ends.

    Raises:
        DataError: if the temporary folder has no room for it.
    """

    def __init__(self, length: int, image_size: tuple[int, int], with_masks: bool = True) -> None:
        self.length, self.image_size, self.with_masks = length, image_size, with_masks
        folder = tempfile.gettempdir()
        bytes_per_picture = image_size[0] * image_size[1] * (4 if with_masks else 3) + 9
        needed, free = length * bytes_per_picture, shutil.disk_usage(folder).free
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
        self.masks = array("masks", np.uint8, *self.image_size) if self.with_masks else None
        self.sizes = array("sizes", np.int32, 2)
        self.filled = array("filled", np.bool_)

    def get(self, index: int) -> Entry | None:
        if not self.filled[index]:
            return None
        height, width = self.sizes[index].tolist()
        mask = None if self.masks is None else np.array(self.masks[index])
        return Entry(np.array(self.images[index]), mask, (height, width))

    def put(self, index: int, entry: Entry) -> None:
        self.images[index], self.sizes[index] = entry.image, entry.original_size
        if self.masks is not None:
            self.masks[index] = entry.mask
        # Last, so that a worker that looks in between finds nothing rather than half a picture.
        self.filled[index] = True

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("length", "image_size", "with_masks", "folder")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open("r+")


def _remove(folder: str, creator: int) -> None:
    # Forked workers inherit this finalizer; only the creator may delete.
    if os.getpid() == creator:
        shutil.rmtree(folder, ignore_errors=True)
