"""The processes that a test has started, and those that these have started."""

import time
from pathlib import Path


def in_session(session: int) -> list[int]:
    """The running processes that were started by a process and by those that it has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, owner, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(owner) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def no_process_is_left(session: int) -> bool:
    """Whether they have ended within a few seconds."""
    deadline = time.monotonic() + 3
    while in_session(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
