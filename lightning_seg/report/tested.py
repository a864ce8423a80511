"""The test pictures of a run, as ``test`` has written them: which are worst, and which classes were taken for which."""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isnan
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from lightning_seg.errors import DataError
from lightning_seg.run_files import LABELLED
from lightning_seg.tables import read_rows

JOINED = "; "
"""Between the classes of a mask."""
REMEDY = "restore the file, or test again"

Order: TypeAlias = Literal["score", "loss", "mistake"]
"""Worst by score; by loss; by the probability of a wrong class, the surest first."""
ORDERS: Mapping[Order, str] = {
    "score": "by score",
    "loss": "by loss",
    "mistake": "by probability of a wrong class",
}


class PictureResult(NamedTuple):
    """A row of ``test_pictures.csv``; earlier versions wrote no more than path, score, quantity and group."""

    path: str
    truth: str  # the class; of a mask all its classes, joined by JOINED; empty if it is not told
    prediction: str  # likewise
    probability: float | None  # of the prediction
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
        return self._classes(self.truth)

    @property
    def predicted_classes(self) -> tuple[str, ...]:
        return self._classes(self.prediction)

    @property
    def wrong_classes(self) -> tuple[str, ...]:
        """Predicted, and not true."""
        return tuple(name for name in self.predicted_classes if name not in self.true_classes)

    def has(self, class_name: str) -> bool:
        """Whether a class is true or predicted."""
        return class_name in self.true_classes or class_name in self.predicted_classes

    def _classes(self, cell: str) -> tuple[str, ...]:
        # The name of one class may hold what joins several.
        return tuple(filter(None, [cell] if self.is_labelled else cell.split(JOINED)))


def read_tested(path: Path) -> tuple[PictureResult, ...]:
    """The rows of the table; none if there is no table.

    Raises:
        DataError: if it has no column for paths or scores, or a cell is no number.
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
            return float(cell) if cell else None
        except ValueError:
            raise DataError(f"{path}: row {line}: {name} {cell[:40]!r} is no number; {REMEDY}") from None

    return PictureResult(
        path=row["path"],
        truth=row.get("truth", ""),
        prediction=row.get("prediction", ""),
        probability=number("probability"),
        loss=number("loss"),
        score=number("score"),
        quantity=row.get("quantity", ""),
        group=row.get("group", ""),
    )


def ranked(
    pictures: Sequence[PictureResult], order: Order = "score", best: bool = False, class_name: str | None = None
) -> list[PictureResult]:
    """Pictures in an order, the worst first; those that have no such number are left out.

    Args:
        pictures: of a test.
        order: ``score``: the lowest. ``loss``: the highest. ``mistake``: the highest probability among those with a
            predicted class that is not true.
        best: the other end first; of ``mistake`` the surest among those without a wrong class.
        class_name: only pictures in which it is true or predicted.
    """
    kept = [one for one in pictures if class_name is None or one.has(class_name)]
    if order == "mistake":
        kept = [one for one in kept if one.prediction and bool(one.wrong_classes) != best]
    key, is_told = KEYS[order]
    kept = [one for one in kept if is_told(one)]
    # Where the first number is equal, the others decide, and then the order of the split.
    return sorted(kept, key=key, reverse=best and order != "mistake")


def _by_score(picture: PictureResult) -> tuple[float, ...]:
    return _low(picture.score), -_high(picture.loss)


def _by_loss(picture: PictureResult) -> tuple[float, ...]:
    return -_high(picture.loss), _low(picture.score)


def _by_probability(picture: PictureResult) -> tuple[float, ...]:
    return -(picture.probability or 0.0), -_high(picture.loss)


def _low(score: float | None) -> float:
    """What is no number is as bad as can be."""
    return -inf if score is None or isnan(score) else score


def _high(loss: float | None) -> float:
    return 0.0 if loss is None else inf if isnan(loss) else loss


KEYS: Mapping[Order, tuple[Callable[[PictureResult], tuple[float, ...]], Callable[[PictureResult], bool]]] = {
    "score": (_by_score, lambda picture: picture.score is not None),
    "loss": (_by_loss, lambda picture: picture.loss is not None),
    "mistake": (_by_probability, lambda picture: picture.probability is not None),
}
"""What decides, and which pictures have it."""


def orders_of(pictures: Sequence[PictureResult]) -> list[Order]:
    """The orders in which there is anything to show."""
    return [order for order in ORDERS if ranked(pictures, order)]
