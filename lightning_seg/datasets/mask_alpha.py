"""Transparent pixels of mask files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.mask_files import StoredMask
from lightning_seg.errors import DataError
from lightning_seg.numbers import are, count_of


def split_transparent(stored: StoredMask, path: Path) -> tuple[StoredMask, NDArray[np.bool_] | None]:
    """The mask as if nothing in it were transparent, and where it is, ``(H, W)``; None where it is nowhere.

    What stands below transparent pixels means nothing: programs leave black, white or the last colour there.

    Raises:
        DataError: if pixels are transparent in part, as at smoothed edges.
    """
    pixels = stored.pixels
    if pixels.ndim == 2:
        clear = np.isin(pixels, stored.transparent_numbers) if stored.transparent_numbers else None
        return stored, clear
    alpha = pixels[..., 3]
    partly = int(np.count_nonzero((alpha > 0) & (alpha < 255)))
    if partly:
        raise DataError(
            f"{path}: {count_of(partly, 'pixel')} of the mask {are(partly)} transparent in part, which leaves their "
            "class open; save it without smoothed edges"
        )
    clear = alpha == 0
    opaque = pixels.copy()
    opaque[clear] = (0, 0, 0, 255)
    return stored._replace(pixels=opaque), clear
