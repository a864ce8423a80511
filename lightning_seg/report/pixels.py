"""Which classes of masks were taken for which, pixel by pixel."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lightning_seg.errors import DataError
from lightning_seg.run_files import PIXEL_COLUMNS
from lightning_seg.tables import read_rows

REMEDY = "delete it, and test again"


class PixelConfusion(NamedTuple):
    """Pixels of the test pictures by true and predicted class."""

    class_names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]  # [true][predicted]

    @property
    def total(self) -> int:
        return sum(map(sum, self.counts))

    @property
    def right(self) -> int:
        return sum(counts[index] for index, counts in enumerate(self.counts))

    @property
    def mistakes(self) -> list[tuple[str, str, int, float]]:
        """True class, predicted class, number of pixels, share of the pixels of the true class; the most first."""
        wrong = [
            (self.class_names[true], self.class_names[predicted], count, count / sum(counts))
            for true, counts in enumerate(self.counts)
            for predicted, count in enumerate(counts)
            if true != predicted and count
        ]
        return sorted(wrong, key=lambda one: -one[2])


def read_pixels(path: Path) -> PixelConfusion | None:
    """What the table of a test says; None if there is no table.

    Raises:
        DataError: if it is none of pairs of classes.
    """
    rows = read_rows(path)
    if not rows:
        return None
    if any(name not in rows[0] for name in PIXEL_COLUMNS):
        raise DataError(f"{path}: no column {' or '.join(PIXEL_COLUMNS)}; {REMEDY}")
    pairs = {(row["truth"], row["prediction"]): _count(path, row["pixels"]) for row in rows}
    names = tuple(dict.fromkeys(row["truth"] for row in rows))
    if pairs.keys() != {(true, predicted) for true in names for predicted in names} or len(pairs) != len(rows):
        raise DataError(f"{path}: there is not one row for each pair of the classes; {REMEDY}")
    return PixelConfusion(names, _square(names, pairs))


def _square(names: Sequence[str], pairs: dict[tuple[str, str], int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(pairs[true, predicted] for predicted in names) for true in names)


def _count(path: Path, cell: str) -> int:
    if not cell.isdecimal():
        raise DataError(f"{path}: pixels {cell[:40]!r} is no number of pixels; {REMEDY}")
    return int(cell)
