"""The table of the pictures behind each cell of a confusion matrix."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import NamedTuple

from lightning_seg.files import printable
from lightning_seg.picture_table import by_confusion
from lightning_seg.tables import harmless_path, write_rows

TABLE = "confusion_pictures.csv"
COLUMNS = ("truth", "prediction", "count", "probability", "path")
NAMED = 3
"""Kinds of mistakes in the line about the table."""


class Answered(NamedTuple):
    """A picture and its answer."""

    truth: str
    prediction: str
    probability: float  # NaN if it is not told
    path: str


Cells = Sequence[tuple[tuple[str, str], Sequence[Answered]]]


def write_confusions(path: Path, pictures: Iterable[Answered], class_names: Sequence[str]) -> str:
    """Write the table, a row per picture, and return a line about it.

    Classes that were taken for others come first, the most frequent mistake on top, then those that were right; the
    surest answers of each come first.

    Args:
        path: of the table.
        pictures: of a test.
        class_names: in their order.
    """
    cells = _ordered(by_confusion(pictures), class_names)
    rows = (_row(one, len(held)) for _, held in cells for one in held)
    write_rows(path, COLUMNS, rows)
    return printable(f"{path}: {_summary(cells)}")


def _ordered(cells: Mapping[tuple[str, str], Sequence[Answered]], class_names: Sequence[str]) -> Cells:
    place = {name: index for index, name in enumerate(class_names)}

    def order(cell: tuple[tuple[str, str], Sequence[Answered]]) -> tuple[bool, int, int, int]:
        (true, said), held = cell
        is_right = true == said
        return is_right, 0 if is_right else -len(held), place[true], place[said]

    return sorted(cells.items(), key=order)


def _row(one: Answered, count: int) -> dict[str, str | int]:
    probability = "" if isnan(one.probability) else f"{one.probability:.6g}"
    cells = (one.truth, one.prediction, count, probability, harmless_path(one.path))
    return dict(zip(COLUMNS, cells, strict=True))


def _summary(cells: Cells) -> str:
    """``5 of 60 test pictures taken for another class: roses for tulips 3, daisy for roses 2``."""
    wrong = [(true, said, len(held)) for (true, said), held in cells if true != said]
    all_, mistakes = sum(len(held) for _, held in cells), sum(count for _, _, count in wrong)
    most = ", ".join(f"{true} for {said} {count}" for true, said, count in wrong[:NAMED])
    others = "" if len(wrong) <= NAMED else ", ..."
    return f"{mistakes} of {all_} test pictures taken for another class{f': {most}{others}' if wrong else ''}"
