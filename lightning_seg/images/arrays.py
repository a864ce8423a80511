"""Pillow images as arrays of uint8."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.errors import DataError

Array = NDArray[np.uint8]
LARGE, BAND = 2**22, 2**18
"""Bytes from which on Pillow copies a picture in bands, and bytes of a band; large blocks of memory are slow to get."""


class SizedImage(NamedTuple):
    """A picture at the wanted size, and its original size."""

    pixels: Array  # (H, W, 3) uint8 RGB
    original_size: tuple[int, int]  # (height, width) of the file, upright


def to_rgb(image: Image.Image, name: str, writable: bool = True) -> Array:
    """A Pillow image of any mode as ``(H, W, 3)`` uint8 RGB; copied if it has to be writable.

    Raises:
        DataError: naming it, if it holds more than 8 bits of grey per pixel.

    Examples:
        >>> to_rgb(Image.new("L", (2, 1), 7), "grey.png").tolist()
        [[[7, 7, 7], [7, 7, 7]]]
    """
    if image.mode.startswith(("I", "F")):
        # Pillow cuts everything above 255 off.
        raise DataError(
            f"{name}: grey of more than 8 bits per pixel (mode {image.mode}), as 16-bit PNG and TIFF have; scale it to "
            "8 bits and save it"
        )
    if image.mode == "P" and "transparency" in image.info:
        # Pillow warns of dropping it from a palette.
        image = image.convert("RGBA")
    return to_array(image if image.mode == "RGB" else image.convert("RGB"), writable)


def to_array(image: Image.Image, writable: bool = True) -> Array:
    """A ``(H, W, 3)`` or ``(H, W)`` uint8 array.

    Large ones are filled a few rows at a time, since numpy would hold them three times.

    Examples:
        >>> to_array(Image.new("L", (3, 2), 7)).tolist()
        [[7, 7, 7], [7, 7, 7]]
    """
    channels = (3,) if image.mode == "RGB" else ()
    row = image.width * (3 if channels else 1)
    if image.height * row <= LARGE:
        return np.array(image) if writable else np.asarray(image)
    array = np.empty((image.height, image.width, *channels), np.uint8)
    rows = max(1, BAND // row)
    for top in range(0, image.height, rows):
        array[top : top + rows] = np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
    return array
