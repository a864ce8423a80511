"""Boxes and heat maps laid over a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

from lightning_seg.images import Array, resize_image

LIGHT = 140
"""Brightness of 255 from which on black letters are read more easily than white ones."""


def draw_boxes(image: Array, boxes: ArrayLike, captions: Sequence[str], colours: Array) -> Image.Image:
    """The picture with a framed and captioned rectangle for each box.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        boxes: ``(N, 4)``: x1, y1, x2, y2 in pixels.
        captions: one per box.
        colours: ``(N, 3)`` uint8, one per box.
    """
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    line = max(1, round(min(canvas.size) / 200))
    font = ImageFont.load_default(size=max(10, round(min(canvas.size) / 30)))
    sides = np.asarray(boxes).tolist()
    # The best one lies on top, and no frame on a caption.
    drawn = list(reversed(list(zip(sides, captions, colours.tolist(), strict=True))))
    for box, _, colour in drawn:
        draw.rectangle(box, outline=tuple(colour), width=line)
    for box, caption, colour in drawn:
        x, y = box[0] + line, box[1] + line
        left, top, right, bottom = draw.textbbox((x, y), caption, font=font)
        draw.rectangle((left - line, top - line, right + line, bottom + line), fill=tuple(colour))
        draw.text((x, y), caption, fill=_readable_on(colour), font=font)
    return canvas


def _readable_on(colour: Sequence[int]) -> str:
    """By the brightness of the colour, as sRGB weighs it."""
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > LIGHT else "white"


def draw_heat_map(image: Array, probs: ArrayLike) -> Image.Image:
    """The picture under the probabilities ``(h, w)`` of one label, from dark blue 0 to yellow 1."""
    # Not before it is needed: it takes longer to import than all else that predicts.
    from matplotlib import colormaps

    colours = np.round(255 * colormaps["viridis"](np.clip(np.asarray(probs), 0, 1))[..., :3]).astype(np.uint8)
    wide = resize_image(np.ascontiguousarray(colours), image.shape[:2])
    return Image.blend(Image.fromarray(image), Image.fromarray(wide), 0.55)
