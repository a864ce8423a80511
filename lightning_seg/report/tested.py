"""The test pictures of a run, as ``test`` has written them: which are worst, and which classes were taken for which."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from lightning_seg.picture_table import PictureResult as PictureResult
from lightning_seg.picture_table import read_tested as read_tested

Order: TypeAlias = Literal["score", "loss", "mistake"]
"""Worst by score; by loss; by the probability of a wrong class, the surest first."""
ORDERS: Mapping[Order, str] = {
    "score": "by score",
    "loss": "by loss",
    "mistake": "by probability of a wrong class",
}


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
    first, second = KEYS[order]
    kept = [one for one in kept if first(one) is not None]
    reverse = best and order != "mistake"
    # Where the first number is equal, the other decides, and then the order of the split.
    return sorted(kept, key=lambda one: (_place(first(one), reverse), _place(second(one), reverse)))


def _place(badness: float | None, reverse: bool) -> tuple[bool, float]:
    """The highest first, or in reverse the lowest; in both what is not known comes last."""
    return badness is None, 0.0 if badness is None else badness if reverse else -badness


def _of_score(picture: PictureResult) -> float | None:
    return None if picture.score is None else -picture.score


def _of_loss(picture: PictureResult) -> float | None:
    return picture.loss


def _of_probability(picture: PictureResult) -> float | None:
    return picture.probability


Badness: TypeAlias = Callable[[PictureResult], float | None]
KEYS: Mapping[Order, tuple[Badness, Badness]] = {
    "score": (_of_score, _of_loss),
    "loss": (_of_loss, _of_score),
    "mistake": (_of_probability, _of_loss),
}
"""What decides, and what decides among equal ones; pictures of which the first is not known are left out."""


def orders_of(pictures: Sequence[PictureResult]) -> list[Order]:
    """The orders in which there is anything to show."""
    return [order for order in ORDERS if ranked(pictures, order)]
