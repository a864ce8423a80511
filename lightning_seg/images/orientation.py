"""Pictures turned upright by their EXIF orientation."""

from collections.abc import Callable
from typing import Any

from PIL import ExifTags, Image

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Transpositions that turn a picture upright, by EXIF orientation."""
ON_ITS_SIDE = range(5, 9)
"""EXIF orientations with width and height swapped."""


def upright(image: Image.Image) -> Image.Image:
    """A Pillow image turned by its EXIF orientation; invalid EXIF is ignored.

    Examples:
        >>> from PIL import ExifTags
        >>> photo = Image.new("RGB", (3, 2))
        >>> photo.getexif()[ExifTags.Base.Orientation] = 6  # stored on its side
        >>> upright(photo).size
        (2, 3)
    """
    return turn(image, orientation_of(image, type(image).getexif))


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """A Pillow image as an EXIF orientation says it is to be shown."""
    turn = UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def orientation_of(image: Image.Image, getexif: Callable[[Any], Image.Exif]) -> int:
    """EXIF orientation; 1 if there is none, or it cannot be read: the pixels are still good."""
    try:
        orientation = getexif(image).get(ExifTags.Base.Orientation, 1)
    # Broken EXIF is answered with errors of many kinds.
    except Exception:
        return 1
    return orientation if type(orientation) is int and orientation in UPRIGHT else 1
