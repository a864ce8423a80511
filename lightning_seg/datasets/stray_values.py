"""Values of no class in a mask, as facts about the file."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lightning_seg.errors import DataError
from lightning_seg.images import Array

KEPT = 64
"""Values of a mask that are told, the most frequent ones."""
NAMED = 10
"""Values that an error names."""
EDGE = 7
"""Side of the square around a pixel that holds two classes where the pixel is at an edge."""


class StrayValue(NamedTuple):
    """A value of no class in a mask."""

    name: str  # a number, or #rrggbb
    pixels: int
    nearest: str  # the class, or what else its nearest value means; empty if none is near enough


class Strays(NamedTuple):
    """All values of no class in a mask."""

    pixels: int
    at_edges: int  # of these, where two classes meet
    distinct: int  # values
    values: list[StrayValue]  # the most frequent ones, at most ``KEPT``

    def to_text(self) -> str:
        return json.dumps(self)


def from_text(text: str) -> Strays:
    """What ``to_text`` wrote."""
    pixels, at_edges, distinct, values = json.loads(text)
    return Strays(pixels, at_edges, distinct, [StrayValue(*value) for value in values])


class StrayValueError(DataError):
    """A mask holds a value of no class.

    Args:
        message: with a remedy for this file alone.
        among_good: the message if all other masks are right.
        strays: the values.
    """

    def __init__(self, message: str, among_good: str, strays: Strays) -> None:
        super().__init__(message)
        self.among_good, self.strays = among_good, strays


def find_strays(
    codes: NDArray[Any],
    nearest: NDArray[np.int16],
    indices: NDArray[np.int16],
    name: Callable[[int], str],
    role: Callable[[int], str],
) -> Strays:
    """What is known of the pixels of no class.

    Args:
        codes: of these pixels, ``(N,)``.
        nearest: index of the class of the nearest value for each of them, -1 for none.
        indices: of the mask's classes, ``(H, W)``, -1 where ``codes`` are.
        name: of a code.
        role: of a class index.
    """
    wrong = indices < 0
    guessed = indices.copy()
    guessed[wrong] = nearest
    square = np.ones((EDGE, EDGE), np.uint8)
    at_edges = cv2.dilate(guessed, square) != cv2.erode(guessed, square)
    found, places, counts = np.unique(codes, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:KEPT]
    values = [
        StrayValue(
            name(int(found[i])), int(counts[i]), role(int(nearest[places[i]])) if nearest[places[i]] >= 0 else ""
        )
        for i in order
    ]
    return Strays(len(codes), int(np.count_nonzero(at_edges & wrong)), len(found), values)


def class_indices(
    numbers: NDArray[Any],
    class_names: Sequence[str],
    say: Callable[[list[int]], str],
    first: int = 0,
    ignored: int | None = None,
) -> Array:
    """The class index of every pixel, ``(H, W)`` uint8, of a mask that holds the classes as numbers.

    Args:
        numbers: of its pixels, ``(H, W)``.
        class_names: in the order of their numbers.
        say: the error for the first values of no class.
        first: number of the first class.
        ignored: number that stays as it is.

    Raises:
        StrayValueError: if it holds other numbers.
    """
    last = first + len(class_names) - 1
    # Of usual masks that is all, and faster than looking at each pixel.
    if first <= numbers.min(initial=first) and numbers.max(initial=first) <= last:
        return np.asarray(numbers if first == 0 else numbers - first, np.uint8)
    wrong = (numbers < first) | (numbers > last)
    if ignored is not None:
        wrong &= numbers != ignored
    if not wrong.any():
        # The ignored number stays.
        return np.where(numbers == ignored, numbers, numbers - first).astype(np.uint8)
    codes = numbers[wrong].astype(np.int64)
    nearest = (np.clip(codes, first, last) - first).astype(np.int16)
    indices = np.where(wrong, -1, numbers.astype(np.int64) - first).astype(np.int16)
    strays = find_strays(codes, nearest, indices, str, lambda index: class_names[index])
    message = say(np.unique(codes).tolist()[:NAMED])
    raise StrayValueError(message, message, strays)
