"""Outlines and run lengths of objects, drawn as a mask.

One rule holds for all formats: where objects overlap, the smaller one covers the larger one, and of two equal ones the
later in the file; crowds count nowhere, but objects cover them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.errors import DataError
from lightning_seg.images import Array

Size = tuple[int, int]
"""(height, width) in pixels."""
LEAST = 6
"""Numbers of an outline of three points."""
BITS, MORE, SIGN, FIRST = 0x1F, 0x20, 0x10, 48
"""Of COCO's run lengths as text: five bits a character, whether more follow, the sign, the character of 0."""


class AnnotationError(DataError):
    """An annotation is wrong."""


class Shape(NamedTuple):
    """An object: outlines, or run lengths, or its pixels."""

    label: str
    where: str  # what messages call it: annotation 7
    outlines: Sequence[Sequence[float]] = ()  # each x1, y1, x2, y2, ... in pixels of the upright picture
    runs: Mapping[str, Any] | None = None  # COCO's ``size`` and ``counts``
    pixels: NDArray[np.bool_] | None = None  # (H, W)
    is_crowd: bool = False


def draw_mask(shapes: Sequence[Shape], size: Size, indices: Mapping[str, int], background: int, path: Any) -> Array:
    """The class of every pixel, ``(H, W)`` uint8, 255 = ignored.

    Args:
        shapes: of one picture; those whose label has no index are not drawn.
        size: of the picture.
        indices: class index of each label, 255 for what counts nowhere.
        background: class index of pixels without an object.
        path: of the file, for messages.

    Raises:
        AnnotationError: if an outline or run lengths are none of this picture.
    """
    mask = np.full(size, background, np.uint8)
    found: list[tuple[bool, int, NDArray[np.bool_], int]] = []
    for shape in shapes:
        if shape.label in indices:
            pixels = _pixels(shape, size, f"{path}: {shape.where}")
            index = IGNORE_INDEX if shape.is_crowd else indices[shape.label]
            found.append((shape.is_crowd, int(np.count_nonzero(pixels)), pixels, index))
    # Sorting keeps the order of equal ones.
    for _, _, pixels, index in sorted(found, key=lambda one: (not one[0], -one[1])):
        mask[pixels] = index
    return mask


def _pixels(shape: Shape, size: Size, where: str) -> NDArray[np.bool_]:
    if shape.pixels is not None:
        return shape.pixels
    if shape.runs is not None:
        runs = {"size": list(size), "counts": _counts(shape.runs, size, where)}
        decoded: Any = coco.decode(coco.frPyObjects(runs, *size))
        return np.asarray(decoded, np.bool_)
    for outline in shape.outlines:
        _check_outline(outline, size, where)
    if not shape.outlines:
        raise AnnotationError(f"{where} has no outline; draw one, or take it out")
    outlines = [[float(number) for number in outline] for outline in shape.outlines]
    return np.asarray(coco.decode(coco.merge(coco.frPyObjects(outlines, *size))), np.bool_)


def _check_outline(outline: Any, size: Size, where: str) -> None:
    """Far outside pycocotools would need memory without end, and with NaN time."""
    try:
        numbers = [float(number) for number in outline]
    except (TypeError, ValueError):
        raise AnnotationError(f"{where} has an outline that is no list of numbers; take it out") from None
    if len(numbers) < LEAST or len(numbers) % 2:
        raise AnnotationError(
            f"{where} has an outline of {len(numbers)} numbers, and three points have x and y each; correct it, or "
            "take it out"
        )
    height, width = size
    for number, side in zip(numbers, (width, height) * (len(numbers) // 2), strict=True):
        if not math.isfinite(number) or not -side <= number <= 2 * side:
            raise AnnotationError(
                f"{where} has an outline with {number:g}, far outside of its picture of {width}x{height} pixels; "
                "correct it, or take it out"
            )


def _counts(runs: Mapping[str, Any], size: Size, where: str) -> list[int]:
    """Run lengths, which pycocotools takes as they are, even where they leave memory as it was."""
    told, counts = runs.get("size"), runs.get("counts")
    if told != list(size):
        raise AnnotationError(
            f"{where} has run lengths of size {str(told)[:40]}, and its picture has [{size[0]}, {size[1]}] (height, "
            "width); give the picture that they were made for"
        )
    plain = unpacked(counts) if isinstance(counts, str) else counts
    is_so = isinstance(plain, list) and all(type(count) is int and count >= 0 for count in plain)
    if not is_so or sum(plain or ()) != size[0] * size[1]:
        raise AnnotationError(
            f"{where} has run lengths that are not those of {size[0]} x {size[1]} pixels; export it again"
        )
    assert plain is not None
    return plain


def unpacked(text: str) -> list[int] | None:
    """The run lengths in COCO's compressed text, as ``rleFrString`` of its maskApi.c reads them; None if it is none.

    From the fourth on each is told as its difference to the last but one.
    """
    counts: list[int] = []
    value = shift = 0
    for code in (ord(character) - FIRST for character in text):
        if not 0 <= code < 2 * MORE or shift > 30:
            return None
        value |= (code & BITS) << shift
        shift += 5
        if not code & MORE:
            value -= (1 << shift) if code & SIGN else 0
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return None if shift else counts
