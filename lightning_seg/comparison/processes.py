"""Calling a program that does not outlive its caller."""

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import IO, Any

from lightning_seg.process_tree import descendants, dying_with, kill

GRACE = 6
"""Seconds that a process has to end by itself; its caller has a little more."""


def call(command: Sequence[str], output: IO[Any]) -> int:
    """Wait for a program, whose words go to ``output``, and return its exit code: below 0 a signal.

    It ends with a caller that is interrupted or asked to end (``stopping.answered``), on Linux also with one that is
    killed. Left alone, a fit would go on in a folder that the next call takes for interrupted.
    """
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
