"""Mask files whose stored numbers are the classes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lightning_seg.errors import DataError
from lightning_seg.images.arrays import Array, to_array
from lightning_seg.images.opening import one_line_errors, opened
from lightning_seg.images.orientation import upright


def read_index_mask(path: str | Path) -> Array:
    """A mask file whose stored numbers (grey levels or palette indices) are the classes, as ``(H, W)`` uint8.

    Raises:
        DataError: if the file is missing, truncated, no picture or a colour picture.

    Examples:
        >>> Image.fromarray(np.array([[0, 2], [1, 255]], np.uint8)).save("mask.png")
        >>> read_index_mask("mask.png").tolist()
        [[0, 2], [1, 255]]
    """
    with one_line_errors(path), opened(path) as stored:
        grey = _decode_grey(stored)
        if grey is not None:
            return grey
        stored.load()
        image = upright(stored)
        if image.mode not in ("L", "P"):
            raise DataError(
                f"{path}: a mask holds one 8-bit number per pixel, this file has mode {image.mode}; replace it"
            )
        return to_array(image)


def _decode_grey(image: Any) -> Array | None:
    """A grey PNG by OpenCV, with Pillow's pixels in less time; None where Pillow has to say what is wrong."""
    if image.format != "PNG" or image.mode != "L":
        return None
    image.fp.seek(0)
    data = image.fp.read()
    # It may have to be turned.
    if b"exif" in data.lower():
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    is_grey = pixels is not None and pixels.dtype == np.uint8 and pixels.shape == (image.height, image.width)
    return pixels if is_grey else None
