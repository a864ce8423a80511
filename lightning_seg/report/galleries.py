"""The worst and the best test pictures of a run, looked at again."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lightning_seg.errors import unknown_name
from lightning_seg.predictor import Predictor
from lightning_seg.report.contents import Content
from lightning_seg.report.looking import Look, look_at
from lightning_seg.report.test_split import TestSplit
from lightning_seg.report.tested import ORDERS, Order, PictureResult, orders_of, ranked


class Wanted(NamedTuple):
    """Which pictures are shown."""

    number: int = 12  # of the worst and of the best
    order: Order | None = None  # None: the surest mistakes of labels, the lowest scores of masks
    class_name: str | None = None  # only pictures in which it is true or predicted


class Gallery(NamedTuple):
    """Pictures under a title."""

    title: str
    looks: tuple[Look, ...]
    notes: tuple[str, ...] = ()


def chosen(content: Content, wanted: Wanted) -> list[tuple[str, list[PictureResult]]]:
    """Titles, and the pictures under each; none without a test.

    Raises:
        ConfigError: if there is no such class.
    """
    if wanted.class_name is not None and content.class_names and wanted.class_name not in content.class_names:
        raise unknown_name("class", wanted.class_name, content.class_names)
    order = wanted.order or usual_order(content.tested)
    worst = ranked(content.tested, order, class_name=wanted.class_name)[: wanted.number]
    taken = {id(picture) for picture in worst}
    best = [one for one in ranked(content.tested, order, True, wanted.class_name) if id(one) not in taken]
    of_class = "" if wanted.class_name is None else f" with the class {wanted.class_name}"
    titles = (f"Worst pictures {ORDERS[order]}{of_class}", f"Best pictures {_BEST[order]}{of_class}")
    return [(title, shown) for title, shown in zip(titles, (worst, best[: wanted.number]), strict=True) if shown]


_BEST: dict[Order, str] = {"score": "by score", "loss": "by loss", "mistake": "by probability, without a wrong class"}


def usual_order(pictures: Sequence[PictureResult]) -> Order:
    """The surest mistakes of labels, whose scores are 0 or 1; otherwise the lowest scores."""
    labels = bool(pictures) and all(picture.is_labelled for picture in pictures)
    return "mistake" if labels and "mistake" in orders_of(pictures) else "score"


def galleries(content: Content, wanted: Wanted, split: TestSplit, predictor: Predictor) -> Iterator[Gallery]:
    """The network looks at the worst and the best pictures again.

    Raises:
        ConfigError: if there is no such class.
    """
    for title, results in chosen(content, wanted):
        looks = look_at(results, split, predictor)
        number = sum(look.differs for look in looks)
        changed = f"The network says now something else than in the test of {number} of these: test --run again."
        yield Gallery(title, tuple(looks), (changed,) if number else ())
