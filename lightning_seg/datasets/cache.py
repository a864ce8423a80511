"""Decoded and resized pictures, kept in a memory-mapped temporary file that all loader workers share."""

import errno
import logging
import math
import os
import shutil
import stat
import tempfile
import time
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lightning_seg.errors import DataError
from lightning_seg.images import Array
from lightning_seg.locks import holding, is_held, taking_turns

log = logging.getLogger(__name__)
PREFIX = "lightning_seg_cache_"
LOCK = "owner.lock"
UNLOCKED_DAYS = 7
ZEROS = 2**20
REMEDY = "set --data.cache false, or the environment variable TMPDIR to a larger folder"


class Entry(NamedTuple):
    """One sample before the random draws."""

    image: Array  # (H, W, 3)
    mask: Array | None  # (H, W)
    original_size: tuple[int, int]  # (height, width) of the file


class PictureCache:
    """Images, original sizes and, if there are any, masks of ``length`` samples of ``(H, W)`` pixels.

    A pixel takes 3 bytes, with masks 4. The file holds what comes before the random draws, so it changes nothing but
    the time. Works with fork and spawn. The files are removed when their creator ends; those of one that was killed,
    when the next cache is made.

    Raises:
        DataError: if the temporary folder has no room for it.
    """

    def __init__(self, length: int, image_size: tuple[int, int], with_masks: bool = True) -> None:
        self.length, self.image_size, self.with_masks = length, image_size, with_masks
        temporary = Path(tempfile.gettempdir())
        # One after the other: of two that begin at once where there is room for one, one gets it.
        with taking_turns(temporary / f"lightning_seg_caches_{_user()}.lock"):
            remove_stale(temporary)
            self._check_room(temporary)
            self.folder = tempfile.mkdtemp(prefix=PREFIX, dir=temporary)
            # Of a killed process the files may go while its workers live on for a moment: they have opened them.
            owner = ExitStack()
            owner.enter_context(holding(Path(self.folder) / LOCK))
            remove = weakref.finalize(self, _remove, self.folder, os.getpid(), owner)
            try:
                self._allocate()
            except OSError as error:
                remove()
                # Others have written since; or the user's share of the disk is smaller than the disk.
                self._check_room(temporary)
                raise DataError(
                    f"{self._needs()}, {temporary} does not give them ({error.strerror}); {REMEDY}"
                ) from error
        self._open()

    def _arrays(self) -> dict[str, tuple[Any, tuple[int, ...]]]:
        """Type and shape by name."""
        arrays: dict[str, tuple[Any, tuple[int, ...]]] = {
            "images": (np.uint8, (self.length, *self.image_size, 3)),
            "sizes": (np.int32, (self.length, 2)),
            "filled": (np.bool_, (self.length,)),
        }
        return arrays | ({"masks": (np.uint8, (self.length, *self.image_size))} if self.with_masks else {})

    def _bytes(self) -> dict[str, int]:
        return {name: math.prod(shape) * np.dtype(dtype).itemsize for name, (dtype, shape) in self._arrays().items()}

    def _needs(self) -> str:
        return f"the cache of {self.length} pictures needs {sum(self._bytes().values()) / 2**20:.0f} MiB"

    def _check_room(self, temporary: Path) -> None:
        free = shutil.disk_usage(temporary).free
        if sum(self._bytes().values()) > free:
            raise DataError(f"{self._needs()}, {temporary} has {free / 2**20:.0f}; {REMEDY}")

    def _allocate(self) -> None:
        for name, size in self._bytes().items():
            allocate(Path(self.folder) / name, size)

    def _open(self) -> None:
        arrays = {
            name: np.memmap(Path(self.folder) / name, dtype, "r+", shape=shape)
            for name, (dtype, shape) in self._arrays().items()
        }
        self.images, self.sizes, self.filled = arrays["images"], arrays["sizes"], arrays["filled"]
        self.masks = arrays.get("masks")

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
        self._open()


def allocate(path: Path, size: int) -> None:
    """A file of ``size`` zeros, whose blocks on the disk are taken and not only promised.

    Writing to a mapped file that has none ends the process without a word when the disk is full.

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


def remove_stale(temporary: Path) -> None:
    """The caches of this user whose processes were killed."""
    for folder in sorted(temporary.glob(f"{PREFIX}*")):
        if _is_stale(folder):
            size = sum(file.stat().st_size for file in folder.glob("*"))
            shutil.rmtree(folder, ignore_errors=True)
            log.warning("%s: removed, %.0f MiB of a run that was killed", folder, size / 2**20)


def _is_stale(folder: Path) -> bool:
    try:
        # Not of what a link points to.
        status = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != _user():
        return False
    if (folder / LOCK).is_file():
        return not is_held(folder / LOCK)
    # Earlier versions wrote no lock.
    return time.time() - status.st_mtime > UNLOCKED_DAYS * 24 * 3600


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _remove(folder: str, creator: int, owner: ExitStack) -> None:
    # Forked workers inherit this finalizer; only the creator may delete.
    if os.getpid() == creator:
        shutil.rmtree(folder, ignore_errors=True)
        owner.close()
