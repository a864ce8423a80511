"""How the process asks the system for memory on a CPU."""

import ctypes
import sys
from functools import cache

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep and reuse the memory of freed tensors instead of handing it back after every layer.

    By default each large activation is mapped from the system anew, and the kernel fills it with zeros page by page:
    half the time of a training step of 64 pictures of 128 pixels (docs/performance.md). Affects the whole process, and
    does nothing where there is no glibc. Returns whether it took effect.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**28))
    taken = [mallopt(name, value) == 1 for name, value in settings]
    return all(taken)
