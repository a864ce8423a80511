"""Reading many files at once."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lightning_seg.cores import usable_cores

Item = TypeVar("Item")
Result = TypeVar("Result")
MAX_THREADS = 8
AHEAD = 4
"""Results per thread that are computed ahead."""


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """The results in order; Pillow and OpenCV let other threads run while they decode."""
    return list(as_they_come(function, items))


def as_they_come(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int | None = None
) -> Generator[Result, None, None]:
    """The results in order, one after the other, while threads are a few items ahead; an error or a signal drops the
    results that are ahead.

    Args:
        function: of an item.
        items: in their order.
        threads: how many; None takes one per core, and a few at most.
    """
    threads = min(MAX_THREADS, usable_cores()) if threads is None else threads
    waiting = deque[Future[Result]]()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
