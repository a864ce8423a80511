"""Counting the pixels of each class in the masks of a dataset."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.threads import in_threads


def count_pixels(dataset: SegmentationDataset[Any]) -> list[int]:
    """Pixels by class, at the size of the files; ignored pixels do not count.

    Raises:
        DataError: if a mask cannot be read.
    """

    def count(record: Any) -> NDArray[np.int64]:
        return np.bincount(dataset.read_mask(record).ravel(), minlength=256)

    counts = np.sum(in_threads(count, dataset.records), axis=0)
    total: list[int] = counts[: len(dataset.class_names)].tolist()
    return total
