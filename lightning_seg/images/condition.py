"""The condition of a picture file, as far as it may surprise: format, stored mode, and what readers differ in."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from lightning_seg.images.orientation import ON_ITS_SIDE, orientation_of
from lightning_seg.images.pages import has_pages

SPELLINGS = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "TIFF": {".tif", ".tiff"},
    "JPEG2000": {".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"},
}
"""Suffixes of formats that have several; others are called as their format."""


class Condition(NamedTuple):
    """Properties of a file; its pixels are decoded only to see whether any is transparent."""

    format: str  # as Pillow calls it; empty if it is no picture
    mode: str  # Pillow's, as stored
    size: tuple[int, int]  # (height, width), upright
    traits: tuple[str, ...]  # names of TRAITS


TRAITS = ("suffix", "pages", "turned", "exif", "cmyk", "deep", "alpha", "profile")
"""What a file can be: named as another format, of several pages, turned by EXIF, with EXIF that cannot be read, in
CMYK, of more than 8 bits, transparent, in colours other than sRGB.
"""


def condition_of(path: Path) -> Condition:
    """The condition of a file; one that is no picture has no format."""
    # Opening a pipe would wait for ever.
    if not os.path.isfile(path):  # noqa: PTH113, which fails for names that are too long
        return Condition("", "", (0, 0), ())
    try:
        with Image.open(path) as image:
            orientation, is_broken = _exif(image)
            lies = orientation in ON_ITS_SIDE
            size = image.size if lies else image.size[::-1]
            found = {
                "suffix": not _is_called_so(path.suffix, image.format or ""),
                "pages": has_pages(image),
                "turned": orientation != 1,
                "exif": is_broken,
                "cmyk": image.mode == "CMYK",
                "deep": image.mode.startswith(("I", "F")),
                "alpha": _is_transparent(image),
                "profile": not _is_srgb(image.info.get("icc_profile")),
            }
            return Condition(image.format or "", image.mode, size, tuple(name for name in TRAITS if found[name]))
    # Pillow answers broken files with errors of every kind; what reading them says is told elsewhere.
    except Exception:
        return Condition("", "", (0, 0), ())


def _is_transparent(image: Image.Image) -> bool:
    """Whether any pixel is; the others are not decoded for it."""
    if image.mode not in ("RGBA", "LA", "PA", "RGBa", "La") and "transparency" not in image.info:
        return False
    return bool(np.asarray(image.convert("RGBA").getchannel("A")).min() < 255)


def _is_called_so(suffix: str, kind: str) -> bool:
    return suffix.lower() in SPELLINGS.get(kind, {f".{kind.lower()}"}) or Image.EXTENSION.get(suffix.lower()) == kind


def _exif(image: Any) -> tuple[int, bool]:
    """Orientation, and whether there is EXIF that cannot be read."""
    if not image.info.get("exif"):
        return orientation_of(image, Image.Image.getexif), False
    try:
        exif = Image.Image.getexif(image)
        dict(exif)
        for block in exif.keys() & {0x8769, 0x8825, 0xA005}:
            exif.get_ifd(block)
        # Some cannot be written again, as programs do that turn a picture.
        exif.tobytes()
    except Exception:
        return orientation_of(image, Image.Image.getexif), True
    return orientation_of(image, Image.Image.getexif), False


def _is_srgb(profile: bytes | None) -> bool:
    """Whether colours are meant as sRGB, as they are without a profile."""
    if not profile:
        return True
    try:
        name = ImageCms.getProfileDescription(ImageCms.getOpenProfile(BytesIO(profile)))
    # Of a profile that cannot be read nobody knows what it means; programs then take sRGB.
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True
    # Grey profiles with sRGB's curve are called so, too.
    return "srgb" in name.lower().replace(" ", "")
