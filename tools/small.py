"""Pictures small enough to be kept in a repository."""

from io import BytesIO

from PIL import Image

LIMIT = 58_000
"""Bytes of a picture."""
WIDTHS = (720, 640, 560, 480, 420, 360)
COLOURS = (255, 128, 64, 40)


def as_small_png(image: Image.Image, limit: int = LIMIT) -> bytes:
    """A PNG with a palette below ``limit`` bytes: as wide, and then of as many colours, as these allow.

    Raises:
        ValueError: if no width and number of colours does.
    """
    image = image.convert("RGB")
    for width in WIDTHS:
        height = round(image.height * min(1, width / image.width))
        small = image.resize((min(width, image.width), height), Image.Resampling.LANCZOS)
        for colours in COLOURS[:3] if width > WIDTHS[-1] else COLOURS:
            picture = _as_png(small, colours)
            if len(picture) <= limit:
                return picture
    raise ValueError(f"a picture of {image.size} does not fit into {limit} bytes")


def _as_png(image: Image.Image, colours: int) -> bytes:
    file = BytesIO()
    flat = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    flat.save(file, "PNG", optimize=True)
    return file.getvalue()
