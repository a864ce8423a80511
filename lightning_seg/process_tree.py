"""The processes that a process has started, and ending them."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
"""Variables by which Lightning, torchrun and SLURM tell each process its place."""


def is_first_process() -> bool:
    """Of all machines: it makes folders and speaks for the others. Not for spawned or forked processes."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


class Process(NamedTuple):
    """One process; its start time tells it from a later process with the same number."""

    number: int
    start: int


def descendants(of: int | None = None) -> set[Process]:
    """The processes that a process has started, those that they have started, and so on; None is this process.

    Without ``/proc`` only the processes of ``multiprocessing`` are known.
    """
    family = _all_by_parent()
    if not family:
        children = multiprocessing.active_children() if of in (None, os.getpid()) else []
        return {Process(child.pid, 0) for child in children if child.pid is not None}
    found = set[Process]()
    newest = {os.getpid() if of is None else of}
    while newest:
        children_of_newest = {child for parent in newest for child in family.get(parent, ())}
        found |= children_of_newest
        newest = {child.number for child in children_of_newest}
    return found


def kill(processes: Iterable[Process]) -> None:
    """End processes at once.

    It leaves out those that have ended, and Python's resource trackers, which end by themselves when nobody needs them.
    """
    for process in processes:
        if process.start and (process != _read(process.number)[0] or _removes(process)):
            continue
        with suppress(ProcessLookupError, PermissionError):
            # Windows knows no SIGKILL, and its SIGTERM is one.
            os.kill(process.number, getattr(signal, "SIGKILL", signal.SIGTERM))


def kill_workers() -> None:
    """End loader processes at once; nobody waits for their pictures any more."""
    for child in multiprocessing.active_children():
        if child.daemon:
            child.kill()


def dying_with(parent: int) -> Callable[[], None] | None:
    """A function with which a process asks the system to kill it once its parent has ended in any way; None if the
    system cannot do that.
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


def _all_by_parent() -> dict[int, list[Process]]:
    family = dict[int, list[Process]]()
    for folder in Path("/proc").glob("[0-9]*"):
        process, parent = _read(int(folder.name))
        if process is not None:
            family.setdefault(parent, []).append(process)
    return family


def _read(number: int) -> tuple[Process | None, int]:
    """A process and its parent; None if it has ended."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(errors="replace")
    except OSError:
        return None, 0
    # "NUMBER (NAME) STATE PARENT ...", where a name may hold brackets and blanks; the start is the 22nd.
    fields = stat.rpartition(")")[2].split()
    return Process(number, int(fields[19])), int(fields[1])


def _removes(process: Process) -> bool:
    with suppress(OSError):
        return b"multiprocessing.resource_tracker" in Path(f"/proc/{process.number}/cmdline").read_bytes()
    return False
