"""Properties of a picture file that need no decoding."""

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lightning_seg.images.opening import one_line_errors, opened
from lightning_seg.images.orientation import ON_ITS_SIDE, orientation_of


class Header(NamedTuple):
    """Properties of a picture file that need no decoding."""

    size: tuple[int, int]  # (height, width), upright
    orientation: int  # of EXIF; 1 is stored upright
    is_jpeg: bool


def read_header(path: str | Path) -> Header:
    """Size and kind of a picture file.

    Raises:
        DataError: if the file is missing or no picture.

    Examples:
        >>> Image.new("RGB", (3, 2)).save("photo.png")
        >>> read_header("photo.png")
        Header(size=(2, 3), orientation=1, is_jpeg=False)
    """
    with one_line_errors(path), opened(path) as image:
        # PngImageFile's own getexif decodes the picture, to look for a tag behind it.
        orientation = orientation_of(image, Image.Image.getexif)
        # A TIFF may hold a JPEG, a phone's JPEG several pictures.
        is_jpeg = image.format in ("JPEG", "MPO") or "jpeg" in str(image.info.get("compression"))
        # Of a TIFF, Pillow tells the upright size.
        stored: tuple[int, int] = getattr(image, "_tile_size", image.size)
        return Header(stored if orientation in ON_ITS_SIDE else stored[::-1], orientation, is_jpeg)
