"""``test_pictures.csv`` of a run: its name, its columns, and what ``test`` has written of each picture; no torch."""

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, isnan
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from lightning_seg.errors import DataError
from lightning_seg.tables import apart, joined, read_rows

TABLE = "test_pictures.csv"
FULL_TABLE = "test_full_pictures.csv"
"""Of pictures that were compared at the original size."""
COLUMNS = ("path", "truth", "prediction", "probability", "loss", "score", "quantity", "group")
LABELLED = "accuracy"
"""The score of pictures that have one class each."""
REMEDY = "restore the file, or test again"


class PictureResult(NamedTuple):
    """A row of the table; earlier versions wrote no more than path, score, quantity and group."""

    path: str
    truth: str  # the class; of a mask all its classes, see ``class_cell``; empty if it is not told
    prediction: str  # likewise
    probability: float | None  # of the prediction; None if it is not known, as for the two behind it
    loss: float | None
    score: float | None  # higher is better; None if no pixel counts
    quantity: str  # what the score is
    group: str  # of pictures that belong together

    @property
    def is_labelled(self) -> bool:
        """Whether it has one class."""
        return self.quantity == LABELLED

    @property
    def true_classes(self) -> tuple[str, ...]:
        return _classes(self.truth, self.quantity)

    @property
    def predicted_classes(self) -> tuple[str, ...]:
        return _classes(self.prediction, self.quantity)

    @property
    def wrong_classes(self) -> tuple[str, ...]:
        """Predicted, and not true."""
        return tuple(name for name in self.predicted_classes if name not in self.true_classes)

    def has(self, class_name: str) -> bool:
        """Whether a class is true or predicted."""
        return class_name in self.true_classes or class_name in self.predicted_classes


def class_cell(names: Sequence[str], quantity: str) -> str:
    """The classes of a picture as one cell: the name of the one that it is labelled with, or all of a mask."""
    return "".join(names) if quantity == LABELLED else joined(names)


def _classes(cell: str, quantity: str) -> tuple[str, ...]:
    return tuple(filter(None, [cell] if quantity == LABELLED else apart(cell)))


def read_tested(path: Path) -> tuple[PictureResult, ...]:
    """The rows of the table; none if there is no table.

    What is no number (nan) is not known, like an empty cell.

    Raises:
        DataError: if it has no column for paths or scores, or a cell holds something else than a number, or a
            probability that is none.
    """
    rows = read_rows(path)
    for name in ("path", "score"):
        if rows and name not in rows[0]:
            raise DataError(f"{path}: no column {name}, so it is no table of test pictures; {REMEDY}")
    return tuple(_picture(path, number, row) for number, row in enumerate(rows, 2))


def _picture(path: Path, line: int, row: Mapping[str, str]) -> PictureResult:
    def number(name: str) -> float | None:
        cell = row.get(name, "")
        try:
            value = float(cell) if cell else None
        except ValueError:
            raise DataError(f"{path}: row {line}: {name} {cell[:40]!r} is no number; {REMEDY}") from None
        return None if value is None or isnan(value) else value

    probability = number("probability")
    # A little more than 1 may be rounding.
    if probability is not None and not (isfinite(probability) and 0 <= probability < 1.001):
        raise DataError(f"{path}: row {line}: probability {probability:g} is not from 0 to 1; {REMEDY}")
    return PictureResult(
        path=row["path"],
        truth=row.get("truth", ""),
        prediction=row.get("prediction", ""),
        probability=probability,
        loss=number("loss"),
        score=number("score"),
        quantity=row.get("quantity", ""),
        group=row.get("group", ""),
    )


class Labelled(Protocol):
    """A test picture of one class."""

    @property
    def truth(self) -> str: ...

    @property
    def prediction(self) -> str: ...

    @property
    def probability(self) -> float | None: ...


L = TypeVar("L", bound=Labelled)


def by_confusion(pictures: Iterable[L]) -> dict[tuple[str, str], list[L]]:
    """The pictures behind each cell of a confusion matrix, by (true, predicted) class, the surest first."""
    cells: dict[tuple[str, str], list[L]] = {}
    for one in sorted(pictures, key=_unsureness):
        cells.setdefault((one.truth, one.prediction), []).append(one)
    return cells


def _unsureness(picture: Labelled) -> tuple[bool, float]:
    """What is not known comes last."""
    probability = picture.probability
    known = probability is not None and not isnan(probability)
    return not known, -probability if known and probability is not None else 0.0
