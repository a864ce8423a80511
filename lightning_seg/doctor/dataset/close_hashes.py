"""Pairs of perceptual hashes that differ in few bits, and pairs of which one is the mirror image of the other."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.threads import as_they_come
from lightning_seg.progress import counted

Hashes = NDArray[np.uint64]
Halves = NDArray[np.uint32]
ROWS, COLUMNS = 64, 8192
"""Hashes that are compared at once; their 2 MB fit into the cache of a core."""
BITS_OF = np.unpackbits(np.arange(2**16, dtype=">u2").view(np.uint8).reshape(-1, 2), axis=1).sum(axis=1, dtype=np.uint8)


class Close(NamedTuple):
    """Pairs, in ascending order."""

    pairs: NDArray[np.int64]  # (N, 2), the first below the second
    mirrored: NDArray[np.bool_]  # (N,)
    distance: int  # in bits, up to which pairs were kept


def find_close(hashes: Hashes, distance: int, most: int) -> Close:
    """All pairs within a distance, by comparing each with each: 100,000 hashes take seconds.

    Args:
        hashes: all different.
        distance: in bits.
        most: pairs that are kept; where more are close, the distance becomes smaller.
    """
    found: list[NDArray[np.int64]] = []  # rows of first, second, mirrored, distance
    kept = 0
    starts = range(0, len(hashes), ROWS)
    even, odd = _halves(hashes)
    blocks = as_they_come(lambda start: _block(even, odd, start, distance), starts)
    for block in counted(blocks, "comparing hashes", len(starts), "block"):
        found.append(block[block[:, 3] <= distance])
        kept += len(found[-1])
        while kept > most and distance > 0:
            distance -= 1
            found = [rows[rows[:, 3] <= distance] for rows in found]
            kept = sum(map(len, found))
    rows = np.concatenate([np.empty((0, 4), np.int64), *found])
    rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
    return Close(rows[:, :2], rows[:, 2] > 0, distance)


def _halves(hashes: Hashes) -> tuple[Halves, Halves]:
    """The bits for even and odd frequencies across the picture; a mirror image has the odd ones the other way round."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    even, odd = (np.packbits(bits[:, start::2], axis=1).view(np.uint32).ravel() for start in (0, 1))
    return even, odd


def _block(even: Halves, odd: Halves, start: int, distance: int) -> NDArray[np.int64]:
    """Close pairs whose first lies in a block, each with 1 if mirrored, and its distance."""
    parts = []
    for column in range(start, len(even), COLUMNS):
        told = count_bits(even[start : start + ROWS, None] ^ even[None, column : column + COLUMNS])
        # The other half is looked at for one pair in forty.
        first, second = np.nonzero(told <= distance)
        known, first, second = told[first, second], first + start, second + column
        rest = count_bits(odd[first] ^ odd[second])
        for mirrored, other in enumerate((rest, 32 - rest)):
            bits = known + other
            near = (bits <= distance) & (first < second)
            parts.append(np.column_stack([first, second, np.full(len(first), mirrored), bits])[near])
    return np.concatenate(parts).astype(np.int64)


def count_bits(numbers: Halves) -> NDArray[np.uint8]:
    """The bits that are set."""
    if hasattr(np, "bitwise_count"):  # from numpy 2.0 on
        return np.asarray(np.bitwise_count(numbers), np.uint8)
    parts = BITS_OF[np.ascontiguousarray(numbers).view(np.uint16)]
    return np.asarray(parts.reshape(*numbers.shape, 2).sum(axis=-1), np.uint8)


def distinct(hashes: Iterable[int]) -> tuple[Hashes, list[list[int]]]:
    """The different hashes, and the positions of each, both in the order of their first position."""
    places: dict[int, list[int]] = {}
    for position, value in enumerate(hashes):
        places.setdefault(value, []).append(position)
    return np.array(list(places), np.int64).astype(np.uint64), list(places.values())


def candidates(hashes: Iterable[int], distance: int, most: int) -> tuple[Iterator[tuple[int, int, bool]], int, int]:
    """Positions of pictures that may be the same, and whether mirrored; how many pairs, and the distance.

    Of pictures with one hash, each is compared with the first and with the one before it.
    """
    values, places = distinct(hashes)
    same = sorted({pair for group in places for pair in _in_a_row(group)})
    close = find_close(values, distance, most)
    return _all_pairs(same, places, close), len(same) + len(close.pairs), close.distance


def _in_a_row(group: list[int]) -> Iterator[tuple[int, int]]:
    for before, one in pairwise(group):
        yield before, one
        yield group[0], one


def _all_pairs(
    same: Iterable[tuple[int, int]], places: list[list[int]], close: Close
) -> Iterator[tuple[int, int, bool]]:
    yield from ((first, second, False) for first, second in same)
    pairs: Iterable[Any] = zip(close.pairs.tolist(), close.mirrored.tolist(), strict=True)
    for (one, other), mirrored in pairs:
        yield places[one][0], places[other][0], mirrored
