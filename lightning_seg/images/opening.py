"""Opening picture files: what cannot be one picture of a possible size is refused before it is decoded."""

import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lightning_seg.errors import DataError, one_line
from lightning_seg.images.pages import has_pages

COMMON = ("JPEG", "PNG", "GIF")
"""Formats that a file is taken for first."""
MAX_PIXELS = int(os.environ.get("LIGHTNING_SEG_MAX_PIXELS", 1_000_000_000))
"""Larger pictures are refused before they are decoded: each pixel would take 7 bytes of memory."""
# Pillow stops at 179 million, since a small file can hold a large picture; aerial pictures are larger than that.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# It warns before it stops, and of EXIF that it cannot read; here the one is an error and the other no matter.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
PIXELS_PER_BYTE = {"raw": 8, "zip": 10_000, "gif": 10_000, "jpeg": 10_000}
"""An upper bound of pixels per byte of a file, by its encoding; other encodings have no limit."""
SMALL = 2**20


@contextmanager
def opened(path: str | Path) -> Iterator[Image.Image]:
    """An undecoded file, checked to be one picture of a possible size.

    Raises:
        DataError: if it is no file, holds several pictures or claims too many pixels.
    """
    size = _bytes_of(path)
    with _find_format(path) as image:
        _check_size(path, image, size)
        if has_pages(image):
            raise DataError(
                f"{path}: holds several pages or frames, and nobody says which; save one as a file of its own"
            )
        yield image


def _find_format(path: str | Path) -> Image.Image:
    """As ``Image.open``, which asks all formats that are known to the process in turn, each in Python."""
    try:
        return Image.open(path, formats=COMMON)
    except UnidentifiedImageError:
        return Image.open(path)


def _bytes_of(path: str | Path) -> int:
    no_file = DataError(f"{path}: a folder, a pipe, a device or a link to nothing, and no picture; take it away")
    try:
        status = os.stat(path)  # noqa: PTH116, which takes longer by a path's making
    except OSError:
        if Path(path).is_symlink():
            raise no_file from None
        raise
    if not stat.S_ISREG(status.st_mode):
        raise no_file
    return status.st_size


def _check_size(path: str | Path, image: Image.Image, size: int) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise DataError(
            f"{path}: {image.width}x{image.height} are more than {MAX_PIXELS} pixels; cut it into pieces, or set the "
            "environment variable LIGHTNING_SEG_MAX_PIXELS if there is memory for it"
        )
    codecs = {tile[0] for tile in getattr(image, "tile", [])}
    if codecs and pixels > max(SMALL, *(size * PIXELS_PER_BYTE.get(codec, pixels) for codec in codecs)):
        raise DataError(
            f"{path}: a file of {size} bytes cannot hold the {image.width}x{image.height} pixels that it claims; "
            "replace the file"
        )


@contextmanager
def one_line_errors(path: str | Path) -> Iterator[None]:
    """Every error within becomes a ``DataError`` that names the file."""
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; restore it or take its name off the list") from None
    # Pillow reports broken files with errors of every kind: struct.error, KeyError, OverflowError, MemoryError...
    except Exception as error:
        reason = one_line(error).replace(repr(str(path)), "").replace(str(path), "").strip()
        raise DataError(f"{path}: cannot be read as a picture ({reason}); replace the file") from error
