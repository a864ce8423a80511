"""Tables and columns on a terminal, where some letters are two columns wide and others none."""

import unicodedata
from collections.abc import Iterator, Sequence

from lightning_seg.files import printable

GAP = "  "


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF") for one in text)


def table(rows: Sequence[Sequence[str]], sides: str) -> Iterator[str]:
    """Rows of one length as lines; ``sides`` says for each column whether it is set left (l) or right (r)."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(columns_of, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield GAP.join(map(_padded, row, widths, sides)).rstrip()


def in_columns(names: Sequence[str], width: int, indent: str) -> Iterator[str]:
    """Names side by side, as many as fit, row by row; what is too long for a line stays whole."""
    widest = max(map(columns_of, names), default=0)
    across = max(1, (width - len(indent) + len(GAP)) // (widest + len(GAP)))
    for first in range(0, len(names), across):
        yield (indent + GAP.join(_padded(name, widest, "l") for name in names[first : first + across])).rstrip()


def _padded(text: str, width: int, side: str) -> str:
    space = " " * (width - columns_of(text))
    return space + text if side == "r" else text + space
