"""Progress bars with a rate, for everything that takes longer than two seconds; ``--quiet`` has none."""

import sys
from collections.abc import Generator, Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
DELAY = 2.0
"""Seconds after which a bar appears."""
ON_A_TERMINAL, IN_A_FILE = 0.1, 10.0
"""Seconds between two states of a bar."""
_quiet = False


def be_quiet(quiet: bool = True) -> None:
    """Show no bars in this process from now on."""
    global _quiet
    _quiet = quiet


def is_quiet() -> bool:
    """Whether this process shows no bars."""
    return _quiet


def seconds_between() -> float:
    """Seconds between two states of a bar: in a file, each is a line of its own."""
    return ON_A_TERMINAL if sys.stderr.isatty() else IN_A_FILE


def counted(items: Iterable[Item], what: str, total: int | None = None, unit: str = "picture") -> Generator[Item]:
    """The items, while a bar on stderr counts them.

    Args:
        items: to go through.
        what: is done, for instance ``reading``.
        total: their number; None if unknown.
        unit: name of one item.
    """
    options = {"delay": DELAY, "mininterval": seconds_between(), "disable": _quiet}
    with tqdm(items, desc=what, total=total, unit=f" {unit}s", **options) as bar:
        yield from bar
