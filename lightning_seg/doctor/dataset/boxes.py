"""Findings about boxes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.coco_objects import CocoObjectsDataset
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.subject import Look, Subject
from lightning_seg.errors import DataError
from lightning_seg.numbers import count_of

OUTSIDE = Kind(
    "box-outside",
    "warning",
    "a box reaches out of its picture, or lies beside it",
    "the object can be found on its visible part at best, and counts as missed otherwise: boxes were made for another "
    "size of the picture, or before it was turned or cropped",
    "cut the boxes at the edge of the picture; where many are wrong, make them anew for these files",
)
UNREADABLE = Kind(
    "unreadable-boxes",
    "warning",
    "the boxes of a picture cannot be read, are empty or no numbers",
    "detectors cannot be measured on these pictures: test --original_size true ends with the same line",
    "restore the file, or remove the box",
)
LEFT_OUT = Kind(
    "boxes-left-out",
    "note",
    "annotations without a box, and boxes without width or height",
    "they are left out; what is found there counts as wrong",
    "nothing if they are few, as in COCO's own files; otherwise export the annotations again",
)
KINDS = (UNREADABLE, OUTSIDE, LEFT_OUT)
BEYOND = 1.0
"""Pixels by which a box may reach out: some count from 1, or to the far side of the last pixel."""


def check_boxes(subject: Subject) -> Iterator[Finding]:
    """What boxes are like."""
    yield from _left_out(subject)
    outside: list[str] = []
    unreadable: list[tuple[str, str]] = []
    lines: list[str] = []
    num_boxes = 0
    for look in subject.looks():
        try:
            boxes = _boxes_of(subject, look)
        except DataError as error:
            unreadable.append((look.picture.path, str(error)))
            continue
        num_boxes += len(boxes)
        if not look.picture.problem:
            wrong = boxes[_reaches_out(boxes, look.picture.height, look.picture.width)]
            outside += [look.picture.path] * (len(wrong) > 0)
            lines += [f"{_told(box)} on {look.picture.width}x{look.picture.height} pixels" for box in wrong]
    if unreadable:
        yield Finding(UNREADABLE, [path for path, _ in unreadable], detail=unreadable[0][1])
    if lines:
        detail = f"{len(lines)} of {count_of(num_boxes, 'box')} in {count_of(len(outside), 'picture')}; {lines[0]}"
        yield Finding(OUTSIDE, outside, count=len(lines), detail=detail)


def _boxes_of(subject: Subject, look: Look) -> NDArray[np.float32]:
    """``(N, 4)`` as x1, y1, x2, y2; none where a dataset knows no boxes."""
    dataset: Any = subject.splits[look.split]
    record = subject.record(look)
    found = dataset.boxes(record) if hasattr(dataset, "boxes") else getattr(record, "boxes", np.empty((0, 4)))
    return np.asarray(found, np.float32)


def _reaches_out(boxes: NDArray[np.float32], height: int, width: int) -> NDArray[np.bool_]:
    low, high = boxes[:, :2], boxes[:, 2:] - np.array([width, height], np.float32)
    return np.asarray((low < -BEYOND).any(axis=1) | (high > BEYOND).any(axis=1))


def _told(box: NDArray[np.float32]) -> str:
    return "the box " + ", ".join(f"{side:g}" for side in box)


def _left_out(subject: Subject) -> Iterator[Finding]:
    for dataset in subject.splits.values():
        if isinstance(dataset, CocoObjectsDataset):
            told = dataset.left_out
            if told.flat or told.without_box:
                yield Finding(LEFT_OUT, count=told.flat + told.without_box, detail=told.describe())
