"""Judges masks before training, so that a wrong one is found at the start and not in the third epoch."""

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.facts import MaskFacts, look_at_mask
from lightning_seg.datasets.image_mask_folder import ImageMaskFolderDataset
from lightning_seg.datasets.threads import as_they_come
from lightning_seg.errors import DataError

log = logging.getLogger(__name__)


def inspect_masks(dataset: SegmentationDataset[Any], masks: Iterable[MaskFacts] | None = None) -> NDArray[np.bool_]:
    """Which class indices occur, ``(256,)``; 255 stands for ignored pixels.

    Args:
        dataset: whose masks.
        masks: the facts about them; None looks at each.

    Raises:
        DataError: naming the first wrong mask, and how many more there are.
    """
    occurs, wrong, decided, number = np.zeros(256, np.bool_), [], [], 0
    pixels = 0
    for mask in as_they_come(lambda record: look_at_mask(dataset, record), dataset.records) if masks is None else masks:
        number += 1
        counts = np.array(mask.counts.split(), np.int64)
        occurs[: len(counts)] |= counts > 0
        occurs[IGNORE_INDEX] |= mask.ignored > 0
        pixels += mask.height * mask.width
        wrong += [mask] if mask.problem else []
        decided += [mask] if mask.decided else []
    if wrong:
        said = wrong[0].among_good if len(wrong) < number else wrong[0].problem
        more = f"; {len(wrong) - 1} more of {number} masks cannot be used" if wrong[1:] else ""
        raise DataError(f"{said}{more}")
    if decided:
        _tell_decided(decided, number, pixels)
    return occurs


def _tell_decided(decided: list[MaskFacts], number: int, pixels: int) -> None:
    """How many pixels were given to the nearest class, and the mask with most of them."""
    worst, count = max(decided, key=_share), sum(mask.decided for mask in decided)
    log.warning(
        "mask_match nearest decided %d of %d pixels (%.2f %%), in %d of %d masks; most of them in %s (%.2f %%)",
        *(count, pixels, 100 * count / pixels, len(decided), number, worst.path, 100 * _share(worst)),
    )


def _share(mask: MaskFacts) -> float:
    return mask.decided / (mask.height * mask.width)


def missing_classes(dataset: SegmentationDataset[Any], occurs: NDArray[np.bool_]) -> list[str]:
    """The classes without a pixel.

    Raises:
        DataError: if at most one class has pixels, since 255 is ignored although nobody said so.
    """
    missing = [name for index, name in enumerate(dataset.class_names) if not occurs[index]]
    if not isinstance(dataset, ImageMaskFolderDataset):
        return missing
    codes, classes = dataset.codes, np.flatnonzero(occurs[:IGNORE_INDEX]).tolist()
    if codes.ignores_unasked and occurs[IGNORE_INDEX] and len(classes) < 2:
        held = " and ".join([*(str(codes.values[index]) for index in classes), "255"])
        values = [codes.values[index] if index in classes else 255 for index in range(2)]
        remedy = f"give mask_values {values}" if len(codes.values) == 2 and classes else "name it in mask_values"
        raise DataError(
            f"the masks to train on hold {held} alone, and 255 belongs to no class; {remedy}, or ignore_values [255] "
            "if it is to be ignored"
        )
    return missing
