"""Test pictures as the tab Look shows them: in lists, and one by one beside what is true and predicted."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from lightning_seg.app.answers import answer, draw, summary_of
from lightning_seg.app.sources import Source
from lightning_seg.app.truths import Truths
from lightning_seg.errors import UserError
from lightning_seg.files import printable
from lightning_seg.images import Array, decode_image, resize_image
from lightning_seg.pages.embedding import fitted_size
from lightning_seg.plots.difference import draw_difference
from lightning_seg.plots.overlay import draw_classes
from lightning_seg.predictor import SegmentedPicture
from lightning_seg.report.metrics import spoken
from lightning_seg.report.tested import ORDERS, Order, PictureResult, ranked

PER_PAGE = 24
SIDE = 256
"""Longest side of a small picture."""
EVERY_CLASS = "all classes"


class View(NamedTuple):
    """One picture."""

    picture: Image.Image
    truth: Image.Image | None  # of masks, as the two behind it
    prediction: Image.Image | None
    difference: Image.Image | None
    line: str


def pages_of(number: int) -> int:
    return max(1, -(-number // PER_PAGE))


def list_of(
    tested: Sequence[PictureResult], order: str, class_name: str, best: bool, page: int
) -> tuple[list[PictureResult], int]:
    """One page of the test pictures, the worst first, and the number of pages.

    Args:
        tested: all of them.
        order: one of ``ORDERS``, or how it is called there.
        class_name: only pictures in which it is true or predicted; ``EVERY_CLASS`` takes all.
        best: the best first.
        page: from 1; one that does not exist is the nearest.
    """
    key: Order = next((one for one, words in ORDERS.items() if order in (one, words)), "score")
    found = ranked(tested, key, best, None if class_name == EVERY_CLASS else class_name)
    pages = pages_of(len(found))
    page = min(max(1, page), pages)
    return found[PER_PAGE * (page - 1) : PER_PAGE * page], pages


def thumbnail(truths: Truths, path: str) -> Array:
    """A small copy ``(H, W, 3)`` uint8 of a test picture; grey if the file cannot be read."""
    try:
        pixels, size = decode_image(truths.place(path), (SIDE, SIDE))
        return resize_image(pixels, fitted_size(size, SIDE))
    except (UserError, OSError):
        return np.full((SIDE, SIDE, 3), 128, np.uint8)


def name_of(result: PictureResult) -> str:
    """Of its file."""
    return printable(Path(result.path).name)


def about(result: PictureResult) -> str:
    """``mean IoU 0.512, loss 0.81``; of labelled pictures the classes."""
    numbers = [] if result.is_labelled else _numbers(result)[:1]
    loss = [] if result.loss is None else [f"loss {result.loss:.3g}"]
    return printable(", ".join([*_classes(result), *numbers, *loss]))


def view_of(source: Source, truths: Truths, result: PictureResult) -> View:
    """A test picture beside what is true and what the model says now.

    Raises:
        UserError: if a file cannot be read.
    """
    said = answer(source, truths.place(result.path), {})
    line = f"{name_of(result)}: {about(result)}. Now: {summary_of(said)}"
    picture = Image.fromarray(said.said.image)
    truth = truths.mask(result.path)
    if truth is None or not isinstance(said.said, SegmentedPicture):
        drawn = draw(said.said) if source.kind == "boxes" else None
        return View(picture, None, drawn, None, line)
    return View(
        picture,
        draw_classes(said.said.image, truth, said.said.class_names),
        draw(said.said),
        draw_difference(said.said.image, truth, said.said.mask),
        line,
    )


def _numbers(result: PictureResult) -> list[str]:
    return [] if result.score is None else [f"{spoken(result.quantity)} {result.score:.3f}"]


def _classes(result: PictureResult) -> list[str]:
    if not (result.is_labelled and result.truth):
        return []
    probability = "" if result.probability is None else f" ({result.probability:.2f})"
    return [f"true {result.truth}", f"predicted {result.prediction}{probability}"]
