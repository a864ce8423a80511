"""Picture files to arrays and arrays to another size: one policy for training and for inference.

Every file, picture or mask, is turned upright by the EXIF orientation that it carries itself, as viewers and labelling
tools show it. Heights and widths are those of the upright picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from lightning_seg.errors import DataError
from lightning_seg.files import replacing

Array = NDArray[np.uint8]
ROWS = 1024
# Pillow stops at 179 million pixels, since a small file can hold a large picture; aerial pictures are larger than that.
Image.MAX_IMAGE_PIXELS = 1_000_000_000


def read_image(path: str | Path) -> Array:
    """A picture of any format and mode that Pillow reads, as ``(H, W, 3)`` uint8 RGB.

    The content decides about the format, not the suffix. Transparency is dropped.

    Raises:
        DataError: if the file is missing, truncated, no picture, or holds more than 8 bits of grey per pixel.
    """
    return to_rgb(_decode(path), str(path))


def to_rgb(image: Image.Image, name: str) -> Array:
    """A Pillow image of any mode as ``(H, W, 3)`` uint8 RGB.

    Raises:
        DataError: naming it, if it holds more than 8 bits of grey per pixel.
    """
    if image.mode.startswith(("I", "F")):
        # Pillow cuts everything above 255 off.
        raise DataError(
            f"{name}: grey of more than 8 bits per pixel (mode {image.mode}), as 16-bit PNG and TIFF have; scale it to "
            "8 bits and save it"
        )
    return to_array(image if image.mode == "RGB" else image.convert("RGB"))


def read_index_mask(path: str | Path) -> Array:
    """A mask file whose stored numbers (grey levels or palette indices) are the classes, as ``(H, W)`` uint8.

    Raises:
        DataError: if the file is missing, truncated, no picture or a colour picture.
    """
    image = _decode(path)
    if image.mode not in ("L", "P"):
        raise DataError(f"{path}: a mask holds one 8-bit number per pixel, this file has mode {image.mode}; replace it")
    return to_array(image)


def write_image(image: Image.Image, path: Path, flushed: bool = True, **options: Any) -> None:
    """A Pillow image in the format of the suffix; the file is whole or the previous one, see ``replacing``."""
    kind = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path, flushed=flushed) as file:
        image.save(file, kind, **options)


class Header(NamedTuple):
    """What a picture file tells without being decoded."""

    size: tuple[int, int]  # (height, width), upright
    orientation: int  # of EXIF; 1 is stored upright
    is_jpeg: bool


def read_header(path: str | Path) -> Header:
    """Size and kind of a picture file.

    Raises:
        DataError: if the file is missing or no picture.
    """
    with _one_line_errors(path), Image.open(path) as image:
        # PngImageFile's own getexif decodes the picture, to look for a tag behind it.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
        # A TIFF may hold a JPEG, a phone's JPEG several pictures.
        is_jpeg = image.format in ("JPEG", "MPO") or "jpeg" in str(image.info.get("compression"))
        # From 5 on, the picture is stored on its side.
        return Header(image.size if orientation in range(5, 9) else image.size[::-1], orientation, is_jpeg)


def read_upright(path: str | Path) -> Image.Image:
    """A file as Pillow holds it, in the mode that it is stored in.

    Raises:
        DataError: if the file is missing, truncated or no picture.
    """
    return _decode(path)


def _decode(path: str | Path) -> Image.Image:
    with _one_line_errors(path), Image.open(path) as image:
        ImageOps.exif_transpose(image, in_place=True)
        image.load()
        return image


@contextmanager
def _one_line_errors(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; restore it or take its name off the list") from None
    # Pillow reports broken files with all of these.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).replace(repr(str(path)), "").replace(str(path), "").replace("\n", " ").strip()
        raise DataError(f"{path}: cannot be read as a picture ({reason}); replace the file") from error


def to_array(image: Image.Image) -> Array:
    """A writable ``(H, W, 3)`` or ``(H, W)`` uint8 array.

    Filled a few rows at a time, since numpy's own way holds a large picture three times.
    """
    channels = (3,) if image.mode == "RGB" else ()
    array = np.empty((image.height, image.width, *channels), np.uint8)
    for top in range(0, image.height, ROWS):
        array[top : top + ROWS] = np.asarray(image.crop((0, top, image.width, min(top + ROWS, image.height))))
    return array


def resize_image(image: Array, size: tuple[int, int]) -> Array:
    """``(H, W, 3)`` to ``(*size, 3)``: averaging over areas when shrinking, linear when growing."""
    if image.shape[:2] == size:
        return image
    shrinks = image.shape[0] >= size[0] and image.shape[1] >= size[1]
    return _resize(image, size, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_mask(mask: Array, size: tuple[int, int]) -> Array:
    """``(H, W)`` to ``size`` by the nearest pixel centre, so that no class is invented."""
    return mask if mask.shape == size else _resize(mask, size, cv2.INTER_NEAREST_EXACT)


def _resize(array: Array, size: tuple[int, int], interpolation: int) -> Array:
    resized: Array = cv2.resize(array, size[::-1], interpolation=interpolation)
    return resized
