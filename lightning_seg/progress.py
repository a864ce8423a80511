"""Progress bars with a rate, for everything that takes longer than two seconds; ``--quiet`` has none."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
DELAY = 2.0
"""Seconds after which a bar appears."""
ON_A_TERMINAL, IN_A_FILE = 0.1, 10.0
"""Seconds between two states of a bar."""
QUIET = "LIGHTNING_SEG_QUIET"
"""Environment variable, so that processes that are started know it too."""


@contextmanager
def quietly(quiet: bool) -> Iterator[None]:
    """Where ``quiet``, no bars are shown in the block, here and in processes that it starts."""
    before = os.environ.get(QUIET)
    if quiet:
        os.environ[QUIET] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(QUIET, None)


def is_quiet() -> bool:
    """Whether no bars are shown."""
    return bool(os.environ.get(QUIET))


def open_bar(what: str, total: int | None = None, **options: Any) -> Any:
    """A bar on stderr, in tqdm's class; in a file each of its states is a line, so there they are fewer.

    Args:
        what: is done, for instance ``reading``.
        total: number of its steps; None if unknown.
        options: of tqdm, for instance ``unit``.
    """
    seconds = ON_A_TERMINAL if sys.stderr.isatty() else IN_A_FILE
    return tqdm(desc=what, total=total, delay=DELAY, mininterval=seconds, disable=is_quiet(), **options)


def counted(items: Iterable[Item], what: str, total: int | None = None, unit: str = "picture") -> Iterator[Item]:
    """The items, while a bar counts them; see ``open_bar``."""
    with open_bar(what, total, iterable=items, unit=f" {unit}s") as bar:
        yield from bar
