"""Whether two pictures show the same photo, by their pixels."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lightning_seg.images import read_image_at

Grey = NDArray[np.float32]
SIDE = 64
"""Pictures are compared at this height and width."""
FINE = 4.0
"""Deviation of the Gaussian whose blur is taken off, in pixels of ``SIDE``: so a shared background counts little."""
ALIKE = 0.8
"""Least correlation of what is left. Of copies of photos that were resized, saved at quality 30, cropped by up to 10 %,
turned by 2 degrees, made grey, brighter or paler, 98 % have more than 0.92; those found in published data 0.86 or more,
two photos of cars in one studio less than 0.75."""
ALIKE_PARTS, PART = 0.5, 8
"""Least correlation of nearly every square of ``PART`` pixels: what differs in one place is another picture."""
FEW = 0.1
"""Share of the squares that may differ, for a watermark."""
PLAIN = 2.0
"""Deviation, in grey values, below which pictures or squares have nothing to compare."""
LEAST_SHARED, MOST_SCALED = 0.7, 1.5
"""Share of the picture that both show; how much larger or smaller the same thing may be, as area."""
STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
WARPED = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
Warp = NDArray[np.float32]
"""(2, 3): where a pixel of the first picture lies in the second one."""


class Thumbnail(NamedTuple):
    """A small picture, and its fine structure."""

    grey: Grey  # (SIDE, SIDE)
    fine: Grey

    def mirrored(self) -> "Thumbnail":
        """The same, left for right."""
        return Thumbnail(np.ascontiguousarray(self.grey[:, ::-1]), np.ascontiguousarray(self.fine[:, ::-1]))


def read_thumbnail(path: Path) -> Thumbnail:
    """A picture at ``SIDE``.

    Raises:
        DataError: if it cannot be read.
    """
    pixels, _ = read_image_at(path, (SIDE, SIDE))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return Thumbnail(grey, grey - cv2.GaussianBlur(grey, (0, 0), FINE))


def warp_between(first: Thumbnail, second: Thumbnail) -> Warp | None:
    """How the second picture lies on the first, if both show the same photo; otherwise None.

    The pictures are laid on each other first (Evangelidis and Psarakis, "Parametric image alignment using enhanced
    correlation coefficient maximization", 2008; computed by OpenCV), so copies may be cropped a little.
    """
    if min(first.fine.std(), second.fine.std()) < PLAIN:
        return None
    warp = _laid_on(first.grey, second.grey)
    if warp is None:
        return None
    fine = cv2.warpAffine(second.fine, warp, (SIDE, SIDE), flags=WARPED)
    shared = cv2.warpAffine(np.ones((SIDE, SIDE), np.float32), warp, (SIDE, SIDE), flags=WARPED) > 0.99
    if shared.mean() < LEAST_SHARED or correlation(first.fine[shared], fine[shared]) < ALIKE:
        return None
    return warp if _parts_alike(first.fine, fine, shared) else None


def _laid_on(first: Grey, second: Grey) -> Warp | None:
    try:
        _, warp = cv2.findTransformECC(first, second, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, STEPS)
    # They do not come nearer to each other.
    except cv2.error:
        return None
    scaled = abs(float(np.linalg.det(warp[:, :2])))
    return np.asarray(warp, np.float32) if 1 / MOST_SCALED < scaled < MOST_SCALED else None


def _parts_alike(first: Grey, second: Grey, shared: NDArray[np.bool_]) -> bool:
    parts = [_squares(array) for array in (first, second)]
    whole = _squares(shared).all(axis=1)
    structured = whole & (np.maximum(parts[0].std(axis=1), parts[1].std(axis=1)) >= PLAIN)
    alike = [correlation(*pair) >= ALIKE_PARTS for pair in zip(*(part[structured] for part in parts), strict=True)]
    return len(alike) > 0 and float(np.mean(alike)) >= 1 - FEW


def _squares(array: NDArray[Any]) -> NDArray[Any]:
    """(squares, pixels)."""
    number = SIDE // PART
    return array.reshape(number, PART, number, PART).swapaxes(1, 2).reshape(number**2, PART**2)


def correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Pearson's, -1 to 1; 0 if one of both is constant."""
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0
