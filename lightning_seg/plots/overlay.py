"""A mask laid over its picture."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.images import Array
from lightning_seg.plots.palette import background_of, palette_of

ROWS = 512
IGNORED_OPACITY = 0.9


def draw_classes(
    image: Array,
    mask: Array,
    class_names: Sequence[str],
    opacity: float = 0.5,
    tint_background: bool = False,
    hidden: Iterable[int] = (),
) -> Image.Image:
    """The picture tinted in the colours of its classes, as every overlay of this package is drawn.

    The background, which is known by its name, stays as it is unless it is asked for.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` uint8 class indices.
        class_names: by class index.
        opacity: share of the colour.
        tint_background: darken the background, too.
        hidden: further class indices whose pixels stay as they are.
    """
    background = None if tint_background else background_of(class_names)
    untouched = [*hidden, *([] if background is None else [background])]
    return draw_overlay(image, mask, palette_of(class_names), opacity, untouched)


def draw_overlay(
    image: Array, mask: Array, palette: Array, opacity: float = 0.5, hidden: Iterable[int] = ()
) -> Image.Image:
    """The picture with every pixel tinted in the colour of its class; ignored pixels are nearly white.

    It works on a few rows at a time, for large pictures.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` uint8 class indices.
        palette: ``(256, 3)`` uint8, a colour per class.
        opacity: share of the colour.
        hidden: class indices whose pixels stay as they are.

    Examples:
        >>> palette = np.full((256, 3), 200, np.uint8)
        >>> drawn = draw_overlay(np.zeros((1, 2, 3), np.uint8), np.array([[0, 1]], np.uint8), palette, hidden=[0])
        >>> np.asarray(drawn)[0].tolist()  # 200 * 128 / 255
        [[0, 0, 0], [100, 100, 100]]
    """
    canvas = Image.fromarray(image)
    cover = np.full(256, round(255 * opacity), np.uint8)
    cover[IGNORE_INDEX] = round(255 * IGNORED_OPACITY)
    cover[list(hidden)] = 0
    for top in range(0, len(mask), ROWS):
        rows = mask[top : top + ROWS]
        canvas.paste(Image.fromarray(palette[rows]), (0, top), Image.fromarray(cover[rows]))
    return canvas
