"""One process at a time: locks that the system takes back when their process ends, however that comes about."""

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_seg.errors import UserError

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)


class HeldError(UserError):
    """Another process holds the lock; ``owner`` names it."""

    def __init__(self, path: Path, owner: str) -> None:
        super().__init__(f"{path}: held by {owner}; wait for it, or end it")
        self.owner = owner


@contextmanager
def holding(path: Path, wait: bool = False) -> Iterator[None]:
    """The lock file ``path`` belongs to this process alone until the block ends.

    The file stays behind and means nothing without the lock of the system: a killed process blocks nobody. It says who
    holds it. On a disk that knows no locks a warning is all there is.

    Args:
        path: the file; its folder is made.
        wait: until the other process lets go, instead of failing.

    Raises:
        HeldError: if another process has it.
        OSError: if the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not "w": what it says is of the other process.
    with path.open("a+") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                file.seek(0)
                raise HeldError(path, file.read().strip() or "another process") from None
            except OSError as error:
                log.warning("%s: its disk knows no locks (%s), so start no second one there", path, error.strerror)
        file.truncate(0)
        file.write(f"{this_process()}\n")
        file.flush()
        yield


def this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


@contextmanager
def taking_turns(path: Path) -> Iterator[None]:
    """As ``holding``, but it waits for others, says so, and leaves no file behind.

    Raises:
        OSError: if the file cannot be written.
    """
    while True:
        if is_held(path):
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
    """Whether a process that is alive holds a lock file; also where the disk knows no locks, and nobody can tell."""
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
