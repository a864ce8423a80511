"""Memory settings of the process, and a limit on the memory that a file may ask for."""

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# Parameters of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
PICTURE = 2**25
"""Bytes of the largest block that loader processes keep; glibc takes no more."""
_ATEN = torch.ops.aten
MAKING = {_ATEN.empty, _ATEN.empty_strided, _ATEN.zeros, _ATEN.ones, _ATEN.full, _ATEN.rand, _ATEN.randn}
"""Operations that make a tensor of the size in their first argument."""


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep and reuse the memory of freed tensors instead of returning it to the system after every layer.

    By default the system maps each large activation anew and fills it with zeros page by page: half the time of a
    training step of 64 pictures of 128 pixels (docs/performance.md). Affects the whole process, and does nothing
    without glibc. Returns whether it took effect.
    """
    return _set(((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**28)))


@cache
def keep_freed_pictures() -> bool:
    """The same for processes that only decode: blocks up to 32 MiB are kept, 64 MiB in all; larger ones go back."""
    return _set(((M_MMAP_THRESHOLD, PICTURE), (M_TRIM_THRESHOLD, 2 * PICTURE)))


def _set(settings: Sequence[tuple[int, int]]) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    taken = [mallopt(name, value) == 1 for name, value in settings]
    return all(taken)


class AtMost(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Limits the elements of all tensors that are made inside.

    It checks a size from a file before the memory is requested: asking for too much may end the process. Tensors on the
    meta device take none.

    Args:
        limit: number of elements.

    Raises:
        MemoryError: if there would be more.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.limit = self.left = limit

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if func.overloadpacket in MAKING and torch.device(options.get("device") or "cpu").type != "meta":
            self.left -= prod(args[0])
            if self.left < 0:
                raise MemoryError(f"tensors of more than {self.limit} elements")
        return func(*args, **options)
