"""Finding pictures that are the same: files of the same bytes, and copies that were resized, saved again, cropped or
mirrored.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from lightning_seg.datasets.threads import as_they_come
from lightning_seg.doctor.dataset.close_hashes import candidates
from lightning_seg.doctor.dataset.likeness import Thumbnail, Warp, read_thumbnail, warp_between
from lightning_seg.errors import DataError
from lightning_seg.progress import counted

DISTANCE = 10
"""Bits of 64 in which the perceptual hashes of two copies may differ. On 150 photos of pets, dogs and flowers this
finds all copies that were resized, saved at quality 30, cropped by 3 % or turned by 2 degrees, and 97 % of those
cropped by 6 %; of a million pairs of different photos two are as near."""
PAIRS_PER_PICTURE, LEAST_PAIRS = 2, 10_000
"""How many pairs are compared by their pixels; where more are near, the distance becomes smaller."""
KEPT = 4096
"""Small pictures in memory, 32 kB each."""


class Seen(NamedTuple):
    """What two pictures are compared by."""

    path: str
    digest: str
    look: int  # perceptual hash


class Copy(NamedTuple):
    """Two pictures that are the same, by their positions."""

    first: int
    second: int
    same_bytes: bool
    mirrored: bool = False
    warp: Warp | None = None  # how the second, mirrored or not, lies on the first; None: as it is


class Copies(NamedTuple):
    """All that were found. Copies of one picture are linked, not each with each."""

    links: list[Copy]
    distance: int  # of hashes, up to which pairs were compared

    def groups(self, same_bytes: bool = False) -> list[list[int]]:
        """Positions of the pictures that are the same, in their order, each picture in one group at most.

        Args:
            same_bytes: of the same bytes alone.
        """
        together = DisjointSet()
        for link in self.links:
            if link.same_bytes or not same_bytes:
                together.add(link.first)
                together.add(link.second)
                together.merge(link.first, link.second)
        return sorted(sorted(subset) for subset in together.subsets())


def find_copies(seen: Sequence[Seen]) -> Copies:
    """Compares each picture with each other, by digest, perceptual hash and, where these are near, pixels."""
    first_of: dict[str, int] = {}
    links, different = [], []
    for position, one in enumerate(seen):
        first = first_of.setdefault(one.digest, position)
        if first == position:
            different.append(position)
        else:
            links.append(Copy(first, position, same_bytes=True))
    most = max(LEAST_PAIRS, PAIRS_PER_PICTURE * len(different))
    pairs, number, distance = candidates((seen[position].look for position in different), DISTANCE, most)
    near = ((different[first], different[second], mirrored) for first, second, mirrored in pairs)
    return Copies([*links, *_verified(seen, near, number)], distance)


def _verified(seen: Sequence[Seen], pairs: Iterator[tuple[int, int, bool]], number: int) -> Iterator[Copy]:
    """Those that are the same by their pixels and not linked already."""
    together = DisjointSet(range(len(seen)))

    @lru_cache(KEPT)
    def thumbnail(position: int) -> Thumbnail | None:
        try:
            return read_thumbnail(Path(seen[position].path))
        # It could be read before.
        except DataError:
            return None

    def compare(pair: tuple[int, int, bool]) -> Copy | None:
        first, second, mirrored = pair
        one, other = thumbnail(first), thumbnail(second)
        if one is None or other is None:
            return None
        warp = warp_between(one, other.mirrored() if mirrored else other)
        return None if warp is None else Copy(first, second, False, mirrored, warp)

    unlinked = (pair for pair in counted(pairs, "comparing pairs", number, "pair") if not together.connected(*pair[:2]))
    for copy in as_they_come(compare, unlinked):
        if copy is not None and together.merge(copy.first, copy.second):
            yield copy


def warp_at(warp: Warp, times: float) -> Warp:
    """The same for pictures whose sides are that many times as long."""
    scaled = warp.copy()
    scaled[:, 2] *= times
    return np.asarray(scaled, np.float32)
