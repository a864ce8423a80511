"""Decoded and resized pictures for one process, in temporary files that all its loader workers share."""

import os
import shutil
import tempfile
import weakref
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lightning_seg.datasets.cache_layout import Entry, Layout, entry_of
from lightning_seg.errors import DataError
from lightning_seg.locks import holding, taking_turns
from lightning_seg.temporary import LOCK, remove_stale, user

PREFIX = "lightning_seg_cache_"
REMEDY = "set --data.cache false, or the environment variable TMPDIR to a larger folder"


class PictureCache:
    """``cache: ram``: images, original sizes and optional masks of ``length`` samples of ``(H, W)`` pixels.

    The files are in ``lightning_seg_cache_*/`` of the temporary folder (``TMPDIR``, else mostly ``/tmp``) and mapped to
    memory: the system keeps in memory what there is room for, and all loader workers share it. They take only memory if
    that folder is a disk in memory. Pictures are stored when they are read, before the random draws, so the cache
    changes only the time. Works with fork and spawn. The files are removed when their creator ends; those of a killed
    process when the next cache is made.

    Raises:
        DataError: if the temporary folder has no room.
    """

    def __init__(self, length: int, image_size: tuple[int, int], with_masks: bool = True) -> None:
        self.layout = Layout(length, image_size, with_masks)
        temporary = Path(tempfile.gettempdir())
        # One after the other: of two that begin at once where there is room for one, one gets it.
        with taking_turns(temporary / f"lightning_seg_caches_{user()}.lock"):
            remove_stale(temporary, PREFIX)
            self.layout.check_room(temporary, REMEDY)
            self.folder = tempfile.mkdtemp(prefix=PREFIX, dir=temporary)
            # Of a killed process the files may go while its workers live on for a moment: they have opened them.
            owner = ExitStack()
            owner.enter_context(holding(Path(self.folder) / LOCK))
            remove = weakref.finalize(self, _remove, self.folder, os.getpid(), owner)
            try:
                self.layout.allocate(Path(self.folder))
            except OSError as error:
                remove()
                # Others have written since; or the user's share of the disk is smaller than the disk.
                self.layout.check_room(temporary, REMEDY)
                raise DataError(
                    f"{self.layout.needs()}, {temporary} does not give them ({error.strerror}); {REMEDY}"
                ) from error
        self._open()

    def _open(self) -> None:
        self._arrays = self.layout.open(Path(self.folder), "r+")

    def get(self, index: int) -> Entry | None:
        return entry_of(self._arrays, index)

    def put(self, index: int, entry: Entry) -> None:
        self._arrays["images"][index], self._arrays["sizes"][index] = entry.image, entry.original_size
        if self.layout.with_masks:
            self._arrays["masks"][index] = entry.mask
        # Last, so that a worker that looks in between finds nothing rather than half a picture.
        self._arrays["filled"][index] = True

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("layout", "folder")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


def _remove(folder: str, creator: int, owner: ExitStack) -> None:
    # Forked workers inherit this finalizer; only the creator may delete.
    if os.getpid() == creator:
        shutil.rmtree(folder, ignore_errors=True)
        owner.close()
