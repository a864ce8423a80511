"""Reading and resizing picture files: one policy for training and inference.

Every file, picture or mask, is turned upright by its own EXIF orientation, as viewers and labelling tools show it;
invalid EXIF is ignored. Heights and widths are those of the upright picture.

A JPEG for a smaller size is decoded at the smallest of its scales 1/8, 1/4, 1/2 and 1 at which it is still large
enough, and resized from there. Masks are always decoded in full.

A file is one picture. A file of several pages or frames is refused, since nobody says which one is meant; the previews
of phones (MPO) and smaller copies in a TIFF do not count.
"""

import os
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from lightning_seg.errors import DataError, one_line
from lightning_seg.files import replacing

Array = NDArray[np.uint8]
READING_POLICY = 2
"""Version of the pixels that a file gives at a size. Raise it when they change: cached pictures are then outdated."""
LARGE, BAND = 2**22, 2**18
"""Bytes from which on Pillow copies a picture in bands, and bytes of a band; large blocks of memory are slow to get."""
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
MAX_PAGES = 64
END_OF_JPEG = b"\xff\xd9"
DECODED_AT = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""OpenCV's names of the scales, which Pillow has too."""
# Of TIFF: a tag, and two of its bits.
NEW_SUBFILE_TYPE, REDUCED, MASK = 254, 1, 4
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


class SizedImage(NamedTuple):
    """A picture at the wanted size, and its original size."""

    pixels: Array  # (H, W, 3) uint8 RGB
    original_size: tuple[int, int]  # (height, width) of the file, upright


def read_image(path: str | Path) -> Array:
    """A picture in any format and mode of Pillow, as ``(H, W, 3)`` uint8 RGB.

    The content decides the format, not the suffix. Transparency is dropped: the stored colours count, as in OpenCV.

    Raises:
        DataError: if the file is missing, truncated, no picture or several, too large, or holds more than 8 bits of
            grey per pixel.
    """
    return read_image_at(path, None).pixels


def read_image_at(path: str | Path, size: tuple[int, int] | None) -> SizedImage:
    """A picture at ``size``, as networks see it in training and prediction; None keeps its size.

    A JPEG is decoded no larger than needed, so its pixels differ a little from those of ``read_image`` resized.

    Raises:
        DataError: see ``read_image``.
    """
    with _one_line_errors(path):
        pixels, original_size = _read_pixels(path, size)
        return SizedImage(pixels if size is None else resize_image(pixels, size), original_size)


def _read_pixels(path: str | Path, wanted: tuple[int, int] | None) -> SizedImage:
    """At least as large as ``wanted``, or original size; writable if it will not be resized."""
    with _open(path) as image:
        if image.format in ("JPEG", "MPO"):
            return _read_jpeg(image, wanted, str(path))
        image.load()
        turned = upright(image)
        size = (turned.height, turned.width)
        return SizedImage(to_rgb(turned, str(path), writable=wanted in (None, size)), size)


def _read_jpeg(image: Any, wanted: tuple[int, int] | None, name: str) -> SizedImage:
    orientation = _orientation(image, type(image).getexif)
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
    turned = _turn(image if image.size == (width, height) else image.crop((0, 0, width, height)), orientation)
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


def to_rgb(image: Image.Image, name: str, writable: bool = True) -> Array:
    """A Pillow image of any mode as ``(H, W, 3)`` uint8 RGB; copied if it has to be writable.

    Raises:
        DataError: naming it, if it holds more than 8 bits of grey per pixel.
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


def read_index_mask(path: str | Path) -> Array:
    """A mask file whose stored numbers (grey levels or palette indices) are the classes, as ``(H, W)`` uint8.

    Raises:
        DataError: if the file is missing, truncated, no picture or a colour picture.
    """
    with _one_line_errors(path), _open(path) as stored:
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


def write_image(image: Image.Image, path: Path, flushed: bool = True, **options: Any) -> None:
    """A Pillow image in the format of the suffix; complete or not at all, see ``replacing``."""
    kind = Image.registered_extensions()[path.suffix.lower()]
    with replacing(path, flushed=flushed) as file:
        image.save(file, kind, **options)


class Header(NamedTuple):
    """Properties of a picture file that need no decoding."""

    size: tuple[int, int]  # (height, width), upright
    orientation: int  # of EXIF; 1 is stored upright
    is_jpeg: bool


def read_header(path: str | Path) -> Header:
    """Size and kind of a picture file.

    Raises:
        DataError: if the file is missing or no picture.
    """
    with _one_line_errors(path), _open(path) as image:
        # PngImageFile's own getexif decodes the picture, to look for a tag behind it.
        orientation = _orientation(image, Image.Image.getexif)
        # A TIFF may hold a JPEG, a phone's JPEG several pictures.
        is_jpeg = image.format in ("JPEG", "MPO") or "jpeg" in str(image.info.get("compression"))
        # Of a TIFF, Pillow tells the upright size.
        stored: tuple[int, int] = getattr(image, "_tile_size", image.size)
        return Header(stored if orientation in ON_ITS_SIDE else stored[::-1], orientation, is_jpeg)


def read_upright(path: str | Path) -> Image.Image:
    """A file as a Pillow image, in its stored mode.

    Raises:
        DataError: if the file is missing, truncated, too large, no picture or several.
    """
    with _one_line_errors(path):
        return _decode(path)


def _decode(path: str | Path) -> Image.Image:
    with _open(path) as image:
        image.load()
        return upright(image)


def upright(image: Image.Image) -> Image.Image:
    """A Pillow image turned by its EXIF orientation; invalid EXIF is ignored."""
    return _turn(image, _orientation(image, type(image).getexif))


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    turn = UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image, getexif: Callable[[Any], Image.Exif]) -> int:
    """EXIF orientation; 1 if there is none, or it cannot be read: the pixels are still good."""
    try:
        orientation = getexif(image).get(ExifTags.Base.Orientation, 1)
    # Broken EXIF is answered with errors of many kinds.
    except Exception:
        return 1
    return orientation if type(orientation) is int and orientation in UPRIGHT else 1


@contextmanager
def _open(path: str | Path) -> Iterator[Image.Image]:
    """An undecoded file, checked to be one picture of a possible size.

    Raises:
        DataError: if it is no file, holds several pictures or claims too many pixels.
    """
    size = _bytes_of(path)
    with _find_format(path) as image:
        _check_size(path, image, size)
        if _has_pages(image):
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


def _has_pages(image: Image.Image) -> bool:
    if not getattr(image, "is_animated", False) or image.format == "MPO":
        return False
    if image.format != "TIFF":
        return True
    try:
        # One page more is enough; they are not counted, since a small file can have millions.
        return any(_is_page(image, number) for number in range(1, MAX_PAGES))
    except EOFError:
        return False
    finally:
        image.seek(0)


def _is_page(image: Any, number: int) -> bool:
    """Whether a TIFF's page is no smaller copy and no mask of the first one."""
    try:
        image.seek(number)
    except EOFError:
        raise
    # Its pixels need not be of a kind that Pillow knows.
    except Exception:
        pass
    return not int(image.tag_v2.get(NEW_SUBFILE_TYPE, 0)) & (REDUCED | MASK)


@contextmanager
def _one_line_errors(path: str | Path) -> Iterator[None]:
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


def to_array(image: Image.Image, writable: bool = True) -> Array:
    """A ``(H, W, 3)`` or ``(H, W)`` uint8 array.

    Large ones are filled a few rows at a time, since numpy would hold them three times.
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


def resize_image(image: Array, size: tuple[int, int]) -> Array:
    """``(H, W, 3)`` to ``(*size, 3)``; every pixel contributes to the result.

    Averages if both sides shrink by whole numbers. Otherwise sides of more than twice the wanted length are halved by
    averaging pairs, and the rest is linear.
    """
    if all(side % want == 0 for side, want in zip(image.shape, size, strict=False)):
        return image if image.shape[:2] == size else _resize(image, size, cv2.INTER_AREA)
    while (smaller := _halved(image.shape[:2], size)) != image.shape[:2]:
        image = _resize(image, smaller, cv2.INTER_LINEAR)
    return image if image.shape[:2] == size else _resize(image, size, cv2.INTER_LINEAR)


def _halved(sides: Iterable[int], wanted: Iterable[int]) -> tuple[int, ...]:
    # Of an odd number half a pixel is kept: rounded down, pixels would be left out.
    return tuple(-(-side // 2) if side > 2 * want else side for side, want in zip(sides, wanted, strict=True))


def resize_mask(mask: Array, size: tuple[int, int]) -> Array:
    """``(H, W)`` to ``size`` by the nearest pixel centre, so that no class is invented."""
    return mask if mask.shape == size else _resize(mask, size, cv2.INTER_NEAREST_EXACT)


def _resize(array: Array, size: Sequence[int], interpolation: int) -> Array:
    resized: Array = cv2.resize(array, size[::-1], interpolation=interpolation)
    return resized
