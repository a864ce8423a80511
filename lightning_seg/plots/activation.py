"""Class activation maps laid over a picture."""

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from lightning_seg.images import Array

STRONGEST = 0.65
"""Share of the colour where the map is highest."""


def draw_activation(image: Array, activation: ArrayLike) -> Image.Image:
    """The picture with the places that speak for a class coloured, the strongest yellow; the others stay as they are.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        activation: ``(h, w)``, 0 or more, over the whole picture; it is drawn relative to its highest value.
    """
    # Not before it is needed: it takes longer to import than all else that predicts.
    from matplotlib import colormaps

    values = np.asarray(activation, np.float32)
    highest = values.max()
    levels = np.round(255 * values / highest).astype(np.uint8) if highest > 0 else np.zeros(values.shape, np.uint8)
    height, width = image.shape[:2]
    wide = Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC)
    colours = wide.copy()
    colours.putpalette(np.round(255 * colormaps["plasma"](np.arange(256))[:, :3]).astype(np.uint8).tobytes())
    return Image.composite(colours.convert("RGB"), Image.fromarray(image), wide.point(lambda level: level * STRONGEST))
