"""Picture files as arrays, at their own size or at another one."""

from pathlib import Path

from PIL import Image

from lightning_seg.images.arrays import Array, SizedImage, to_rgb
from lightning_seg.images.jpeg import read_jpeg
from lightning_seg.images.opening import one_line_errors, opened
from lightning_seg.images.orientation import upright
from lightning_seg.images.resizing import resize_image

READING_POLICY = 2
"""Version of the pixels that a file gives at a size. Raise it when they change: cached pictures are then outdated."""


def read_image(path: str | Path) -> Array:
    """A picture in any format and mode of Pillow, as ``(H, W, 3)`` uint8 RGB.

    The content decides the format, not the suffix. Transparency is dropped: the stored colours count, as in OpenCV.

    Raises:
        DataError: if the file is missing, truncated, no picture or several, too large, or holds more than 8 bits of
            grey per pixel.

    Examples:
        >>> Image.new("RGB", (3, 2), (10, 20, 30)).save("photo.png")
        >>> read_image("photo.png").shape
        (2, 3, 3)
        >>> read_image("photo.png")[0, 0].tolist()
        [10, 20, 30]
    """
    return read_image_at(path, None).pixels


def read_image_at(path: str | Path, size: tuple[int, int] | None) -> SizedImage:
    """A picture at ``size``, as networks see it in training and prediction; None keeps its size.

    A JPEG is decoded no larger than needed, so its pixels differ a little from those of ``read_image`` resized.

    Raises:
        DataError: see ``read_image``.

    Examples:
        >>> Image.new("RGB", (30, 20)).save("photo.png")
        >>> picture = read_image_at("photo.png", (4, 6))
        >>> picture.pixels.shape, picture.original_size
        ((4, 6, 3), (20, 30))
    """
    with one_line_errors(path):
        pixels, original_size = decode_image(path, size)
        return SizedImage(pixels if size is None else resize_image(pixels, size), original_size)


def decode_image(path: str | Path, wanted: tuple[int, int] | None) -> SizedImage:
    """A picture at least as large as ``wanted``, or at its own size; writable if it will not be resized.

    Raises:
        DataError: see ``read_image``.
    """
    with one_line_errors(path), opened(path) as image:
        if image.format in ("JPEG", "MPO"):
            return read_jpeg(image, wanted, str(path))
        image.load()
        turned = upright(image)
        size = (turned.height, turned.width)
        return SizedImage(to_rgb(turned, str(path), writable=wanted in (None, size)), size)


def read_upright(path: str | Path) -> Image.Image:
    """A file as a Pillow image, in its stored mode.

    Raises:
        DataError: if the file is missing, truncated, too large, no picture or several.
    """
    with one_line_errors(path):
        return _decode(path)


def _decode(path: str | Path) -> Image.Image:
    with opened(path) as image:
        image.load()
        return upright(image)
