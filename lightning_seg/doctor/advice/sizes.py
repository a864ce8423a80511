"""Sizes of pictures, and the size to train at that follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from lightning_seg.doctor.advice.network import USUAL_MULTIPLE, Network

Size = tuple[int, int]
"""(height, width) in pixels."""
LEAST_PIXELS = 4.0
"""Pixels that the short side of an object needs: with fewer, one wrong row at each edge is half of it."""
ALIKE, SQUEEZED = 0.9, 1.25
"""Share of pictures that lie or stand alike, and how far their shape may be from that of ``image_size``."""
MOST_COST, TILE = 8.0, 512
"""Times the pixels from which tiles are better than larger pictures, and their usual side."""


@dataclass(frozen=True)
class Sizes:
    """Of pictures, upright.

    Args:
        smallest: the (height, width) with the fewest pixels.
        median: of heights and of widths.
        largest: the (height, width) with the most pixels.
        landscape: share of pictures that are wider than high.
    """

    smallest: Size
    median: Size
    largest: Size
    landscape: float


@dataclass(frozen=True)
class Advice:
    """A size to train at.

    Args:
        image_size: (height, width).
        flag: that gives it.
        cost: time and memory of a step, relative to today's.
        reasons: names of ``REASONS``.
        tile: side of the tiles that show everything at its own size; None where whole pictures will do.
    """

    image_size: Size
    flag: str
    cost: float
    reasons: tuple[str, ...]
    tile: int | None


REASONS = {
    "squeezed": "it has the shape of the pictures",
    "small": f"the short side of the smallest objects keeps {LEAST_PIXELS:.0f} pixels",
    "enlarged": "half of the pictures are no larger",
}


def sizes_of(heights: Sequence[int], widths: Sequence[int]) -> Sizes:
    """Of at least one picture."""
    sides = np.stack([np.asarray(heights, np.int64), np.asarray(widths, np.int64)], axis=1)
    pixels, median = sides.prod(axis=1), np.median(sides, axis=0)
    return Sizes(
        _size(sides[pixels.argmin()]),
        _size(median),
        _size(sides[pixels.argmax()]),
        round(float((sides[:, 1] > sides[:, 0]).mean()), 4),
    )


def _size(sides: Sequence[int] | np.ndarray) -> Size:
    return int(sides[0]), int(sides[1])


def short_side_left(share: float, picture: Size, shown: Size | None) -> float:
    """Pixels of an object's short side where a picture is shown at another size, along the side that shrinks more.

    Args:
        share: of the short side of the picture.
        picture: (height, width) of the file.
        shown: (height, width) at which it is shown; None leaves it as it is.
    """
    return share * min(picture) * (1.0 if shown is None else _scale(picture, shown))


def _scale(picture: Size, shown: Size) -> float:
    return min(new / old for new, old in zip(shown, picture, strict=True))


def advise(sizes: Sizes, shown: Size | None, smallest: float | None, network: Network | None = None) -> Advice | None:
    """A better size than today's; None where there is none, or pictures are shown as they are.

    Args:
        sizes: of the pictures.
        shown: (height, width) of today.
        smallest: short side of the smallest objects as share of that of their picture, if it is known.
        network: which may not take every size.
    """
    if shown is None:
        return None
    multiple = network.multiple if network else USUAL_MULTIPLE
    reasons, wanted = [], (float(shown[0]), float(shown[1]))
    if is_squeezed(sizes, shown):
        reasons.append("squeezed")
        wanted = _in_shape_of(sizes.median, wanted[0] * wanted[1])
    if _scale(sizes.median, shown) > 1:
        reasons.append("enlarged")
        wanted = (float(sizes.median[0]), float(sizes.median[1]))
    size = _rounded(wanted, multiple)
    if smallest is not None and short_side_left(smallest, sizes.median, size) < LEAST_PIXELS:
        reasons.append("small")
        size = _grown(size, LEAST_PIXELS / short_side_left(smallest, sizes.median, size), sizes.median, multiple)
    if is_squeezed(sizes, size) and "squeezed" in reasons:
        # Of small pictures nothing of their shape is a multiple of what the network needs.
        reasons.remove("squeezed")
    if not reasons or size == shown or not (network is None or network.takes(size)):
        return None
    cost = round(size[0] * size[1] / (shown[0] * shown[1]), 2)
    tile = _multiple_below(min(TILE, *sizes.median), multiple) if cost > MOST_COST else None
    return Advice(size, f"--data.image_size {_written(size)}", cost, tuple(reasons), tile)


def is_squeezed(sizes: Sizes, shown: Size) -> bool:
    """Whether the pictures have a common shape, and are shown in another one."""
    if 1 - ALIKE < sizes.landscape < ALIKE:
        return False
    (height, width), (new_height, new_width) = sizes.median, shown
    ratio = (new_width / new_height) / (width / height)
    return max(ratio, 1 / ratio) > SQUEEZED


def _in_shape_of(picture: Size, pixels: float) -> tuple[float, float]:
    height = sqrt(pixels * picture[0] / picture[1])
    return height, pixels / height


def _rounded(sides: tuple[float, float], multiple: int) -> Size:
    height, width = (max(multiple, round(side / multiple) * multiple) for side in sides)
    return height, width


def _grown(size: Size, times: float, most: Size, multiple: int) -> Size:
    """Larger by ``times``, but no larger than the files, which hold no more."""
    height, width = (
        max(side, min(ceil(side * times / multiple) * multiple, _multiple_below(limit, multiple)))
        for side, limit in zip(size, most, strict=True)
    )
    return height, width


def _multiple_below(side: int, multiple: int) -> int:
    return max(multiple, side // multiple * multiple)


def _written(size: Size) -> str:
    return str(size[0]) if size[0] == size[1] else f"'[{size[0]}, {size[1]}]'"
