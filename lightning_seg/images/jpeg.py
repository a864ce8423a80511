"""JPEG files, decoded no larger than needed."""

from typing import Any

import cv2
import numpy as np

from lightning_seg.images.arrays import Array, SizedImage, to_rgb
from lightning_seg.images.orientation import ON_ITS_SIDE, orientation_of, turn

END_OF_JPEG = b"\xff\xd9"
DECODED_AT = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""OpenCV's names of the scales, which Pillow has too."""


def read_jpeg(image: Any, wanted: tuple[int, int] | None, name: str) -> SizedImage:
    """An opened JPEG upright, at least as large as ``wanted``, or at its own size; writable if that is ``wanted``."""
    orientation = orientation_of(image, type(image).getexif)
    lies = orientation in ON_ITS_SIDE
    original_size = image.size if lies else image.size[::-1]
    shown = wanted or original_size
    # From here on as the file stores it, (width, height).
    scale = _smallest_scale(image.size, shown if lies else shown[::-1])
    # Nine columns at 1/8 give two, of which the second is almost empty: with it, the picture would not lie on its mask.
    width, height = (int(side / scale + 0.5) for side in image.size)
    pixels = _decode_fast(image, scale) if orientation == 1 else None
    if pixels is not None:
        return SizedImage(np.ascontiguousarray(pixels[:height, :width]), original_size)
    image.draft(None, tuple(side // scale for side in image.size))
    image.load()
    turned = turn(image if image.size == (width, height) else image.crop((0, 0, width, height)), orientation)
    return SizedImage(to_rgb(turned, name, writable=shown == (turned.height, turned.width)), original_size)


def _smallest_scale(stored: tuple[int, int], wanted: tuple[int, int]) -> int:
    """The largest divisor of a JPEG's size at which it is still large enough."""
    least = min(have // want for have, want in zip(stored, wanted, strict=True))
    return next((scale for scale in sorted(DECODED_AT, reverse=True) if scale <= least), 1)


def _decode_fast(image: Any, scale: int) -> Array | None:
    """A JPEG by OpenCV, with Pillow's pixels in less time; None if Pillow has to read it or find the error."""
    if image.format != "JPEG" or image.mode != "RGB":
        return None
    image.fp.seek(0)
    data = image.fp.read()
    # Not every OpenCV refuses files that were cut off.
    if not data.endswith(END_OF_JPEG):
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), DECODED_AT[scale] | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    if pixels is None or pixels.shape != (-(-image.height // scale), -(-image.width // scale), 3):
        return None
    in_rgb: Array = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, pixels)
    return in_rgb
