"""Whether two records say the same about the same picture: labels, masks, boxes."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.doctor.dataset.copies import Copy, warp_at
from lightning_seg.doctor.dataset.likeness import SIDE
from lightning_seg.doctor.subject import Pictures
from lightning_seg.errors import DataError
from lightning_seg.images import Array, resize_mask

COMPARED = 2 * SIDE
"""Height and width at which masks are compared."""
OVERLAP = 0.5
"""Mean intersection over union below which two masks do not mean the same. Trimaps of one photo, painted by two people,
have 0.74 to 0.90."""
NEAREST = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
Record = tuple[Pictures, int]
"""A dataset, and a position in it."""


def disagreement(first: Record, second: Record, copy: Copy) -> str:
    """How two records of one picture contradict each other, empty if they do not, or nobody knows."""
    if first[0].has_masks and second[0].has_masks:
        return _of_masks(first, second, copy)
    told = [_classes(record) for record in (first, second)]
    if None in told or told[0] == told[1]:
        return ""
    return " and ".join(", ".join(sorted(names or {"nothing"})) for names in told if names is not None)


def _classes(record: Record) -> frozenset[str] | None:
    """The classes that a record names."""
    dataset, number = record
    label = getattr(dataset, "label", None)
    one = dataset.records[number]
    labels = getattr(one, "labels", None) if label is None else [label(one)]
    return None if labels is None else frozenset(dataset.class_names[index] for index in labels)


def _of_masks(first: Record, second: Record, copy: Copy) -> str:
    try:
        masks = [_small_mask(record) for record in (first, second)]
    # A finding of its own.
    except DataError:
        return ""
    names = first[0].class_names
    overlap = _overlap(masks[0], _as_seen(masks[1], copy), len(names))
    if overlap >= OVERLAP:
        return ""
    return f"their masks overlap by {overlap:.0%}"


def _small_mask(record: Record) -> Array:
    dataset, number = record
    assert isinstance(dataset, SegmentationDataset)
    return resize_mask(dataset.read_mask(dataset.records[number]), (COMPARED, COMPARED))


def _as_seen(mask: Array, copy: Copy) -> Array:
    """A mask of the second picture as it lies on the first."""
    mask = np.ascontiguousarray(mask[:, ::-1]) if copy.mirrored else mask
    if copy.warp is None:
        return mask
    warp = warp_at(copy.warp, COMPARED / SIDE)
    # Nothing is said about what the second picture does not show.
    warped = cv2.warpAffine(mask, warp, (COMPARED, COMPARED), flags=NEAREST, borderValue=(IGNORE_INDEX,))
    return np.asarray(warped, np.uint8)


def _overlap(first: Array, second: Array, classes: int) -> float:
    """Mean intersection over union of the classes that one of both holds, where both count; 1 where nothing does."""
    counts: NDArray[np.bool_] = (first != IGNORE_INDEX) & (second != IGNORE_INDEX)
    first, second = first[counts], second[counts]
    shares: list[Any] = []
    for index in range(classes):
        one, other = first == index, second == index
        if either := np.count_nonzero(one | other):
            shares.append(np.count_nonzero(one & other) / either)
    return float(np.mean(shares)) if shares else 1.0
