"""Tables of rows with names: what a page shows as a table, whoever renders it."""

import re
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, NamedTuple

NO_NUMBER = "no number"
"""In place of NaN and infinity."""
NUMBER = re.compile(r"[-+]?[\d,]+(\.\d+)?(e[-+]?\d+)?%?")


class Table(NamedTuple):
    """Cells as they are shown."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  # the first cell names the row
    colours: tuple[str, ...] = ()  # of the rows, #rrggbb, where they are classes
    notes: tuple[str, ...] = ()  # what is to be known of it, a sentence each

    @property
    def records(self) -> list[dict[str, str]]:
        """Each row by the heads of its columns."""
        return [dict(zip(self.heads, row, strict=True)) for row in self.rows]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Of each column, whether it holds numbers, which stand on the right."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.heads)
        return tuple(_is_of_numbers(column) for column in columns)


def table_of(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]], **more: Any) -> Table:
    """With numbers as people read them, see ``shown``."""
    return Table(title, tuple(heads), tuple(tuple(shown(cell) for cell in row) for row in rows), **more)


def shown(value: Any) -> str:
    """A value as people read it: four digits behind the point, thousands apart, nothing for None.

    Numbers between -0.001 and 0.001 have three digits that count; NaN and infinity are ``NO_NUMBER``.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if not isfinite(value):
        return NO_NUMBER
    return f"{value:.3g}" if 0 < abs(value) < 0.001 or abs(value) >= 1e6 else f"{value:,.4f}"


def _is_of_numbers(cells: Sequence[str]) -> bool:
    told = [cell for cell in cells if cell not in ("", NO_NUMBER)]
    return bool(told) and all(NUMBER.fullmatch(cell) for cell in told)
