"""Boxes from annotation files as Pascal VOC has them."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lightning_seg.errors import DataError

SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_boxes(path: Path) -> NDArray[np.float32]:
    """The boxes of all objects, ``(N, 4)`` as x1, y1, x2, y2 in pixels of the picture, as the file has them.

    Raises:
        DataError: if the file cannot be read, or a box has no width or height.
    """
    try:
        found = ElementTree.parse(path).findall("object/bndbox")
        boxes = [[float(box.findtext(side, "")) for side in SIDES] for box in found]
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path}: no annotation of Pascal VOC ({error}); restore the published file") from error
    for x1, y1, x2, y2 in boxes:
        if not (x1 < x2 and y1 < y2):
            raise DataError(f"{path}: the box {x1:g}, {y1:g}, {x2:g}, {y2:g} is empty; restore the published file")
    return np.array(boxes, np.float32).reshape(-1, 4)
