"""Test pictures beside what is true, what the network says and where both differ, small enough for a page."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_seg.errors import UserError
from lightning_seg.images import Array, read_header, read_image_at, resize_mask
from lightning_seg.pages.embedding import fitted_size
from lightning_seg.plots.boxes import draw_boxes
from lightning_seg.plots.difference import WRONG, draw_difference
from lightning_seg.plots.overlay import draw_classes
from lightning_seg.predictor import ClassifiedPicture, DetectedPicture, Predictor, SegmentedPicture
from lightning_seg.report.test_split import TestSplit, Truth
from lightning_seg.report.tested import PictureResult

SIDE = 160
"""Pixels of the longer side of a small picture."""
TOP = 3
TRUE = (0, 158, 115)
"""Bluish green, which colour-blind people tell from the vermilion of what is predicted."""
Drawn = Iterator[tuple[str, Array]]


class Panel(NamedTuple):
    """A small picture, or why there is none."""

    what: str  # it shows
    pixels: Array | None  # (H, W, 3) uint8
    reason: str = ""


class Look(NamedTuple):
    """A test picture that was looked at again."""

    result: PictureResult  # of the test
    panels: tuple[Panel, ...]
    says: str  # what the network says now, in a few words; empty of masks
    true_classes: tuple[str, ...]  # as the dataset labels it; none of masks
    differs: bool = False  # the network says now another class than in the test


def look_at(results: Sequence[PictureResult], split: TestSplit, predictor: Predictor, side: int = SIDE) -> list[Look]:
    """Each picture as the network sees it now; one that cannot be shown has the reason in its place."""
    return [_look(result, split, predictor, side) for result in results]


def _look(result: PictureResult, split: TestSplit, predictor: Predictor, side: int) -> Look:
    try:
        record = split.find(result.path)
        path, truth = split.dataset.image_path(record), split.truth(record)
        said = predictor(path)
        image = read_image_at(path, fitted_size(read_header(path).size, side)).pixels
        panels = tuple(Panel(what, pixels) for what, pixels in KINDS[type(said)](image, truth, said, split))
    except (UserError, OSError) as error:
        return Look(result, (Panel("picture", None, str(error).replace(f"{result.path}: ", "")),), "", ())
    label = said.label if isinstance(said, ClassifiedPicture) else None
    differs = label is not None and bool(result.prediction) and label != result.prediction
    return Look(result, panels, _words(said), truth.class_names, differs)


def _words(said: Any) -> str:
    if isinstance(said, ClassifiedPicture):
        return ", ".join(f"{name} {probability:.2f}" for name, probability in said.top(TOP))
    if isinstance(said, DetectedPicture):
        found = [f"{label} {score:.2f}" for label, score in zip(said.labels[:TOP], said.scores, strict=False)]
        more = len(said.labels) - len(found)
        return (", ".join(found) or "nothing found") + (f" and {more} more" if more else "")
    return ""


def _masks(image: Array, truth: Truth, said: SegmentedPicture, split: TestSplit) -> Drawn:
    predicted = resize_mask(said.mask, image.shape[:2])
    yield "picture", image
    if truth.mask is None:
        yield "prediction", np.asarray(draw_classes(image, predicted, said.class_names))
        return
    true = resize_mask(truth.mask, image.shape[:2])
    yield "truth", np.asarray(draw_classes(image, true, split.class_names))
    yield "prediction", np.asarray(draw_classes(image, predicted, said.class_names))
    if split.class_names == said.class_names:
        yield "difference", np.asarray(draw_difference(image, true, predicted))


def _labels(image: Array, truth: Truth, said: ClassifiedPicture, split: TestSplit) -> Drawn:
    yield "picture", image


def _boxes(image: Array, truth: Truth, said: DetectedPicture, split: TestSplit) -> Drawn:
    height, width = said.image.shape[:2]
    scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2, np.float32)
    found, true = said.boxes * scale, truth.boxes * scale
    yield "picture", image
    if len(true):
        yield "truth", _framed(image, true, [TRUE] * len(true))
    yield "prediction", _framed(image, found, [WRONG] * len(found))
    if len(true):
        # The first lie on top.
        yield "difference", _framed(image, np.concatenate([true, found]), [TRUE] * len(true) + [WRONG] * len(found))


def _framed(image: Array, boxes: NDArray[np.float32], colours: Sequence[tuple[int, int, int]]) -> Array:
    """Without letters: in a small picture they would hide it."""
    shades = np.asarray(colours, np.uint8).reshape(-1, 3)
    return np.asarray(draw_boxes(image, torch.from_numpy(boxes), [""] * len(boxes), shades))


KINDS: dict[type, Callable[[Array, Truth, Any, TestSplit], Drawn]] = {
    SegmentedPicture: _masks,
    ClassifiedPicture: _labels,
    DetectedPicture: _boxes,
}
"""What is drawn of each kind of prediction."""


def name_below(path: str, root: str) -> str:
    """A picture's path below the folder of its dataset."""
    file = Path(path)
    return str(file.relative_to(root)) if root and file.is_relative_to(root) else path
