"""Boxes from annotation files in the format of Pascal VOC."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.box_sides import as_sides, is_flat
from lightning_seg.errors import DataError, one_line

SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_boxes(path: Path) -> NDArray[np.float32]:
    """The boxes of all objects, ``(N, 4)`` as x1, y1, x2, y2 in pixels of the picture.

    Raises:
        DataError: if the file cannot be read, or a box has no width or height.
    """
    try:
        found = ElementTree.parse(path).findall("object/bndbox")
        boxes = [[float(box.findtext(side, "")) for side in SIDES] for box in found]
    # An unknown encoding is a LookupError, deep nesting a RecursionError, and there are more.
    except Exception as error:
        reason = one_line(error)
        raise DataError(f"{path}: no annotation of Pascal VOC ({reason}); restore the published file") from error
    return np.array([_sides(path, box) for box in boxes], np.float32).reshape(-1, 4)


def _sides(path: Path, box: list[float]) -> NDArray[np.float32]:
    sides = as_sides(box)
    if sides is None or is_flat(sides):
        problem = "lies outside of any picture" if sides is None else "is empty"
        shown = ", ".join(f"{side:g}" for side in box)
        raise DataError(f"{path}: the box {shown} {problem}; restore the published file")
    return sides
