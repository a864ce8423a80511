"""Number of cores that this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path

OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """At least 1: cores that the process may run on (affinity), or fewer if a container limits its time.

    The limits are the quotas of Linux' control groups, of both versions, outer groups included.
    """
    return max(1, int(min([_allowed(), *_quotas()])))


def _allowed() -> int:
    # From Python 3.13 on; it also knows what PYTHON_CPU_COUNT says.
    if hasattr(os, "process_cpu_count"):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas() -> Iterator[float]:
    """Quotas of the process's groups, in cores."""
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = GROUPS / controllers if controllers else GROUPS
        # In a container its own group may be mounted as the root, under which the path does not exist.
        own = root / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(root):
                yield from _quota(folder)


def _quota(folder: Path) -> Iterator[float]:
    """Quota of one group: time per period, in ``cpu.max``, or in two files of the first version."""
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        try:
            words = " ".join((folder / name).read_text() for name in names).split()
        except OSError:
            continue
        if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]) > 0:
            # Without a limit there stands "max", or -1.
            yield int(words[0]) / int(words[1])
