"""The argument ``image_size``."""

from collections.abc import Sequence

from lightning_seg.errors import ConfigError
from lightning_seg.numbers import at_least


def as_size(image_size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) from one side or from both. Raises ConfigError if they are impossible."""
    sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size or ())
    if len(sides) != 2:
        raise ConfigError(f"image_size {image_size} must be one side or (height, width), for instance 128")
    height, width = sides
    return at_least(1, "image_size", height), at_least(1, "image_size", width)
