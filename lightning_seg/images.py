"""Picture files to arrays and arrays to another size: one policy for training and for inference.

Every file, picture or mask, is turned upright by the EXIF orientation that it carries itself, as viewers and labelling
tools show it. Heights and widths are those of the upright picture.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lightning_seg.errors import DataError

Array = NDArray[np.uint8]


def read_image(path: str | Path) -> Array:
    """A picture of any format and mode that Pillow reads, as ``(H, W, 3)`` uint8 RGB.

    The content decides about the format, not the suffix. Transparency is dropped.

    Raises:
        DataError: if the file is missing, truncated or no picture.
    """
    return np.asarray(_decode(path, "RGB"))


def read_index_mask(path: str | Path) -> Array:
    """A mask file whose stored numbers (grey levels or palette indices) are the classes, as ``(H, W)`` uint8.

    Raises:
        DataError: if the file is missing, truncated, no picture or a colour picture.
    """
    image = _decode(path, None)
    if image.mode not in ("L", "P"):
        raise DataError(f"{path}: a mask holds one 8-bit number per pixel, this file has mode {image.mode}; replace it")
    return np.asarray(image)


def _decode(path: str | Path, mode: str | None) -> Image.Image:
    try:
        with Image.open(path) as image:
            ImageOps.exif_transpose(image, in_place=True)
            return image.convert(mode) if mode else image.copy()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; restore it or take its name off the list") from None
    # Pillow reports broken files with all of these.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = str(error).replace(str(path), "the file").replace("\n", " ")
        raise DataError(f"{path}: cannot be read as a picture ({reason}); replace the file") from error


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
