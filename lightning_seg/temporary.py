"""Folders of running processes below ``TMPDIR``: what killed ones have left there, the next one removes."""

import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lightning_seg.locks import holding, is_held, taking_turns

log = logging.getLogger(__name__)
LOCK = "owner.lock"
UNLOCKED_DAYS = 7


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder for the files of this process, removed at the end of the block.

    Before it is made, those of the same prefix go whose processes were killed.
    """
    temporary = Path(tempfile.gettempdir())
    with ExitStack() as owner:
        # One after the other: a folder that has no lock yet is nobody's.
        with taking_turns(temporary / f"{prefix}{user()}.lock", quietly=True):
            remove_stale(temporary, prefix)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=temporary))
            owner.enter_context(holding(folder / LOCK))
        try:
            yield _made(folder / "files")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_stale(temporary: Path, prefix: str) -> None:
    """Remove the folders of this user, with this prefix, whose processes were killed."""
    for folder in sorted(temporary.glob(f"{prefix}*")):
        if _is_stale(folder):
            size = sum(file.lstat().st_size for file in folder.rglob("*"))
            shutil.rmtree(folder, ignore_errors=True)
            log.warning("%s: removed, %.0f MiB of a run that was killed", folder, size / 2**20)


def user() -> int:
    """The number of who runs this process; 0 where users have none."""
    return os.getuid() if hasattr(os, "getuid") else 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _is_stale(folder: Path) -> bool:
    try:
        # Not of what a link points to.
        status = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != user():
        return False
    if (folder / LOCK).is_file():
        return not is_held(folder / LOCK)
    # Earlier versions wrote no lock.
    return time.time() - status.st_mtime > UNLOCKED_DAYS * 24 * 3600
