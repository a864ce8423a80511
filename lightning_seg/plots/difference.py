"""Where a predicted mask differs from the true one."""

import numpy as np
from PIL import Image

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.images import Array

WRONG = (213, 94, 0)
"""Vermilion, which colour-blind people tell from grey, too."""
GREYED = 0.55
"""Share of the grey picture that stays behind."""


def draw_difference(image: Array, truth: Array, prediction: Array) -> Image.Image:
    """The picture in pale grey with wrong pixels in one colour; ignored ones are white.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        truth: ``(H, W)`` uint8 class indices, 255 = ignored.
        prediction: likewise.
    """
    grey = np.asarray(Image.fromarray(image).convert("L"), np.float32)
    pale = np.round(255 * (1 - GREYED) + GREYED * grey).astype(np.uint8)
    drawn = np.repeat(pale[..., None], 3, axis=2)
    drawn[(truth != prediction) & (truth != IGNORE_INDEX)] = WRONG
    drawn[truth == IGNORE_INDEX] = 255
    return Image.fromarray(drawn)
