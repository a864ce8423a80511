"""File locks for one process at a time, which the system releases when their process ends in any way."""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from lightning_seg.errors import UserError

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)
_held: set[int] = set()
"""File descriptors of the locks of this process."""


class HeldError(UserError):
    """Another process holds the lock; ``owner`` names it."""

    def __init__(self, path: Path, owner: str) -> None:
        super().__init__(f"{path}: held by {owner}; wait for it, or end it")
        self.owner = owner


@contextmanager
def holding(path: Path, wait: bool = False) -> Iterator[None]:
    """The lock file ``path`` belongs to this process alone until the block ends.

    The file remains, but means nothing without the system's lock: a killed process blocks nobody. It names its holder.
    On a disk without locks there is only a warning.

    Args:
        path: the file; its folder is made.
        wait: for the other process, instead of failing.

    Raises:
        HeldError: if another process has it.
        OSError: if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    _held.add(descriptor)
    try:
        _lock(descriptor, path, wait)
        _sign(descriptor, path)
        yield
    finally:
        if descriptor in _held:
            _held.remove(descriptor)
            os.close(descriptor)


def _lock(descriptor: int, path: Path, wait: bool) -> None:
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        owner = os.read(descriptor, 1000).decode(errors="replace").strip()
        raise HeldError(path, owner or "another process") from None
    except OSError as error:
        _warn_of_disk(path.parent, error.strerror)


@lru_cache
def _warn_of_disk(folder: Path, reason: str) -> None:
    log.warning("%s: its disk knows no locks (%s), so start no second process there", folder, reason)


def _sign(descriptor: int, path: Path) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{this_process()}\n".encode())
    except OSError as error:
        error.filename = str(path)
        raise


def _let_go() -> None:
    """A forked process, such as a loader's worker, would keep the lock of a killed one."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)


def this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


@contextmanager
def taking_turns(path: Path, quietly: bool = False) -> Iterator[None]:
    """As ``holding``, but it waits for others, says so unless ``quietly``, and leaves no file.

    Raises:
        OSError: if the file cannot be written.
    """
    while True:
        if not quietly and is_held(path):
            log.warning("%s: another process is at it; waiting for %s", path, _owner(path))
        with holding(path, wait=True):
            # Who was waited for has removed the file that was locked; somebody else may have made a new one.
            if _owner(path) == this_process():
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def is_held(path: Path) -> bool:
    """Whether a living process holds a lock file; True also if the disk has no locks, so that nobody can tell."""
    try:
        with path.open("rb") as file:
            if sys.platform == "win32":
                return True
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _owner(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
