"""Checks of box coordinates, for all annotation formats."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LARGEST = 2.0**24
"""Limit up to which float32 tells neighbouring pixels apart; no picture is larger."""


def as_sides(box: Sequence[float]) -> NDArray[np.float32] | None:
    """x1, y1, x2, y2 as numbers; None if one is no number or lies outside of any picture."""
    if not all(-LARGEST <= side <= LARGEST for side in box):
        return None
    return np.array(box, np.float32)


def is_flat(box: NDArray[np.float32]) -> bool:
    """Whether a box has no width or no height."""
    return not (box[0] < box[2] and box[1] < box[3])
