"""A program that is called, and that does not outlive its caller."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

GRACE = 60
"""Seconds that a process has for ending by itself."""
PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def call(command: Sequence[str], output: IO[Any]) -> int:
    """Wait for a program, whose words go to ``output``, and return its exit code: below 0 a signal.

    It ends with the caller, whether that is interrupted, asked to end, or, on Linux, killed. Left alone, a fit would go
    on in a folder that the next call takes for interrupted.
    """
    with _ends_like_interrupted():
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=_dies_with_parent())
        try:
            return process.wait()
        finally:
            _end(process)


def describe_signal(code: int) -> str | None:
    """What ended a process with this exit code, and what to do; None where it ended by itself."""
    if code >= 0:
        return None
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return (
            f"it was killed ({name}), as the system does where memory runs out; free some, for instance with "
            "--data.num_workers 0, and the same command goes on"
        )
    return f"it was ended by {name}; the same command goes on"


def _dies_with_parent() -> Callable[[], None] | None:
    """What the new process does before it becomes the program."""
    if not sys.platform.startswith("linux"):
        return None
    # Loaded here, because between the two a process should not load anything.
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _end(process: "subprocess.Popen[Any]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _ends_like_interrupted() -> Iterator[None]:
    """A request to end becomes a KeyboardInterrupt, so that the process that was started ends too."""
    if threading.current_thread() is not threading.main_thread():
        # Signals reach the main thread alone.
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
