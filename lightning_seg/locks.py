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
