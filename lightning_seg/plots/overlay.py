"""A mask laid over its picture."""

from PIL import Image

from lightning_seg.images import Array

ROWS = 512


def draw_overlay(image: Array, mask: Array, palette: Array, opacity: float = 0.5) -> Image.Image:
    """The picture with every pixel tinted in the colour of its class; a few rows at a time, for large pictures.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        mask: ``(H, W)`` uint8 class indices.
        palette: ``(256, 3)`` uint8, a colour per class.
        opacity: share of the colour.
    """
    canvas = Image.fromarray(image)
    height, width = mask.shape
    for top in range(0, height, ROWS):
        rows = canvas.crop((0, top, width, min(top + ROWS, height)))
        canvas.paste(Image.blend(rows, Image.fromarray(palette[mask[top : top + ROWS]]), opacity), (0, top))
    return canvas
