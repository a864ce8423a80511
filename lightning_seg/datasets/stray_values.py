"""Values of no class in a mask, as facts about the file."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

KEPT = 64
"""Values of a mask that are told, the most frequent ones."""
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
