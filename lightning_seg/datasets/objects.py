"""What is in a picture: the boxes and the classes of its record, whatever kind of dataset it is of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.base import PictureDataset


def labels_of(dataset: PictureDataset[Any, Any], record: Any) -> list[int]:
    """The class index of the picture, or of each of its boxes; none of a picture with a mask."""
    label = getattr(dataset, "label", None)
    if label is not None:
        return [int(label(record))]
    return [int(index) for index in getattr(record, "labels", ())]


def boxes_of(dataset: PictureDataset[Any, Any], record: Any) -> NDArray[np.float32]:
    """``(N, 4)``: x1, y1, x2, y2 in pixels of the file; none where pictures have no boxes."""
    boxes = getattr(dataset, "boxes", None)
    found = getattr(record, "boxes", ()) if boxes is None else boxes(record)
    return np.asarray(found, np.float32).reshape(-1, 4)


def box_labels_of(dataset: PictureDataset[Any, Any], record: Any) -> list[int]:
    """The class index of each box: with a label per picture, all boxes have that label."""
    labels, number = labels_of(dataset, record), len(boxes_of(dataset, record))
    return labels * number if hasattr(dataset, "label") else labels
