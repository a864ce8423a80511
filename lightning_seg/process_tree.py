"""The processes that a process has started, and how they end together."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def descendants(of: int | None = None) -> set[int]:
    """The processes that one has started, those that they have started, and so on; None stands for this process.

    Where the system has no ``/proc`` only those of ``multiprocessing`` are known.
    """
    parents = _parents()
    if not parents:
        children = multiprocessing.active_children() if of in (None, os.getpid()) else []
        return {child.pid for child in children if child.pid is not None}
    found, newest = set[int](), {os.getpid() if of is None else of}
    while newest:
        newest = {process for process, parent in parents.items() if parent in newest}
        found |= newest
    return found


def kill(processes: Iterable[int]) -> None:
    """End processes at once, those that have ended by now aside."""
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            # Windows knows no SIGKILL, and its SIGTERM is one.
            os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def dying_with(parent: int) -> Callable[[], None] | None:
    """What a process calls so that the system kills it once its parent has ended, however that comes about; None where
    the system cannot do that.
    """
    if not sys.platform.startswith("linux"):
        return None
    # Loaded here, because between fork and exec a process should not load anything.
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _parents() -> dict[int, int]:
    """The parent of every process."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # It may have ended meanwhile.
        with suppress(OSError):
            # "PID (NAME) STATE PARENT": a name may hold brackets and blanks.
            parents[int(stat.parent.name)] = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
    return parents
