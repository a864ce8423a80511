"""The search for the largest batch that fits into the memory."""

import gc
from collections.abc import Callable
from typing import NamedTuple

import torch
from pytorch_lightning.utilities.memory import is_oom_error


class Trial(NamedTuple):
    """A batch size that was tried."""

    size: int
    fits: bool


def largest_batch(try_size: Callable[[int], None], most: int, tell: Callable[[Trial], None]) -> int | None:
    """The largest power of two up to ``most`` for which there is memory; None if there is none.

    Args:
        try_size: trains for a few steps with batches of this size; its error says that memory is short.
        most: no larger batch is tried.
        tell: called after each trial.
    """
    # Norms cannot train on one picture whose map is a single pixel, so it is the last resort.
    found, size = None, 2
    while size <= most:
        if not _tried(try_size, size, tell):
            break
        found, size = size, 2 * size
    return found or (1 if _tried(try_size, 1, tell) else None)


def _tried(try_size: Callable[[int], None], size: int, tell: Callable[[Trial], None]) -> bool:
    fits = _fits(try_size, size)
    tell(Trial(size, fits))
    return fits


def _fits(try_size: Callable[[int], None], size: int) -> bool:
    try:
        try_size(size)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        # What the trial has held is free for the next one.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a step has failed for want of memory, on any device; Lightning's own asks for the word CUDA."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or is_oom_error(error)
