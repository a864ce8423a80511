"""Calling a program that does not outlive its caller."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from lightning_seg.process_tree import descendants, dying_with, kill
from lightning_seg.stopping import is_answering

GRACE = 6
"""Seconds that a process has to end by itself; its caller has a little more."""


def call(command: Sequence[str], output: IO[Any]) -> int:
    """Wait for a program, whose output goes to ``output``, and return its exit code; below 0 it is a signal.

    It ends with the caller, whether that is interrupted, asked to end, or, on Linux, killed. Otherwise a fit would
    continue in a folder that the next call takes for interrupted.
    """
    with _ends_like_interrupted():
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, preexec_fn=dying_with(os.getpid()))
        try:
            return process.wait()
        finally:
            _end(process)


def describe_signal(code: int) -> str | None:
    """The signal that ended a process with this exit code, and what to do; None if it ended by itself."""
    # Who answers a signal ends with 128 and its number, as a shell shows it.
    number = -code if code < 0 else code - 128
    if number not in set(signal.Signals):
        return None
    name = signal.Signals(number).name
    if number == signal.SIGKILL:
        return (
            f"it was killed ({name}), as the system does where memory runs out; free some, for instance with "
            "--data.num_workers 0, and the same command goes on"
        )
    return f"it was ended by {name}; the same command goes on"


def _end(process: "subprocess.Popen[Any]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            # Once it has ended nobody knows whom it has started.
            family = descendants(process.pid)
            process.kill()
            kill(family)
            process.wait()


@contextmanager
def _ends_like_interrupted() -> Iterator[None]:
    """A request to end becomes a KeyboardInterrupt, so that the started process ends too."""
    if threading.current_thread() is not threading.main_thread() or is_answering():
        # Signals reach the main thread alone, and a command answers them by itself.
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
