"""Small pictures within a page."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from lightning_seg.images import Array

QUALITY = 82
LOWER = (82, 65, 50, 35, 20)
"""Qualities of JPEG to try, where a picture has little room."""


class Embedded(NamedTuple):
    """A picture as it stands in a page."""

    source: str  # its data: address
    size: tuple[int, int]  # (width, height) at which it is shown
    enlarged: bool  # shown larger than it is, pixel by pixel


def embedded(pixels: Array, side: int, room: int | None = None) -> Embedded:
    """A picture ``(H, W, 3)`` uint8, shown with a longer side of ``side``; for ``room`` see ``jpeg_address``."""
    height, width = pixels.shape[:2]
    times = side / max(height, width)
    return Embedded(jpeg_address(pixels, room), (round(times * width), round(times * height)), times >= 2)


def fitted_size(size: Sequence[int], side: int) -> tuple[int, int]:
    """(height, width) with a longer side of ``side``; small pictures keep theirs."""
    scale = min(1.0, side / max(size[:2]))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def jpeg_address(pixels: Array, room: int | None = None) -> str:
    """A picture ``(H, W, 3)`` uint8 as a ``data:`` address; one that needs more than ``room`` bytes gets coarser."""
    written = _jpeg(pixels, QUALITY)
    for quality in LOWER[1:]:
        if room is None or len(written) <= room:
            break
        written = _jpeg(pixels, quality)
    return f"data:image/jpeg;base64,{b64encode(written).decode()}"


def _jpeg(pixels: Array, quality: int) -> bytes:
    written = BytesIO()
    # Fine lines in full colour, such as outlines of masks, need their colours in full, too.
    subsampling = 0 if quality >= QUALITY else 2
    Image.fromarray(pixels).save(written, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    return written.getvalue()
