"""Perceptual hashes that differ in few bits, by hand."""

import imagehash
import numpy as np
import pytest
from PIL import Image

from lightning_seg.doctor.dataset import close_hashes
from lightning_seg.doctor.dataset.close_hashes import candidates, count_bits, find_close
from lightning_seg.doctor.dataset.copies import DISTANCE

# A hash has eight rows of a byte; a mirror image has the bits 0x55 of each the other way round.
ROW = 0x55


def hashes(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def test_pairs_are_found_by_the_number_of_bits() -> None:
    close = find_close(hashes(0b0, 0b111, 0b1111, 2**63 + 0b1), distance=3, most=100)
    # Distances 3, 4, 2, and 1, 3, 4.
    assert close.pairs.tolist() == [[0, 1], [0, 3], [1, 2], [1, 3]]
    assert not close.mirrored.any()


def test_mirror_images_are_found_by_the_bits_that_they_change() -> None:
    value = 0x0123_4567_89AB_CDEF
    mirror = value ^ int.from_bytes(bytes([ROW] * 8), "big")
    close = find_close(hashes(value, mirror ^ 0b11, mirror ^ (2**40 - 1)), distance=2, most=100)
    assert close.pairs.tolist() == [[0, 1]]
    assert close.mirrored.tolist() == [True]


@pytest.mark.parametrize("seed", range(5))
def test_the_hash_of_a_mirror_image_is_as_expected(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((64, 64), Image.Resampling.BICUBIC)
    one = imagehash.phash(picture).hash
    other = imagehash.phash(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).hash
    expected = one ^ (np.arange(8) % 2 == 1)
    # The median moves, and with it the bits of a few coefficients beside it.
    assert np.count_nonzero(expected != other) <= DISTANCE
    assert np.count_nonzero(one != other) > DISTANCE


def test_each_is_compared_with_each_over_all_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close_hashes, "ROWS", 3)
    monkeypatch.setattr(close_hashes, "COLUMNS", 4)
    values = np.random.default_rng(0).integers(0, 2**10, 25, dtype=np.uint64)
    found = {tuple(pair) for pair in find_close(values, 3, 1000).pairs.tolist()}
    slowly = {(i, j) for i in range(25) for j in range(i + 1, 25) if bin(int(values[i] ^ values[j])).count("1") <= 3}
    assert found == slowly


def test_the_distance_becomes_smaller_where_too_many_are_close() -> None:
    # Distances 1, 2, 3 from the first, and 3, 4, 5 between these.
    close = find_close(hashes(0, 0b1, 0b110, 0b111000), distance=4, most=2)
    assert (close.pairs.tolist(), close.distance) == ([[0, 1], [0, 2]], 2)


def test_equal_hashes_are_compared_in_a_row() -> None:
    pairs, number, distance = candidates([7, 7, 2**60, 7], distance=1, most=10)
    assert sorted(pairs) == [(0, 1, False), (0, 3, False), (1, 3, False)]
    assert (number, distance) == (3, 1)


@pytest.fixture(params=["numpy 2", "numpy 1"])
def numpy_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "numpy 1":
        monkeypatch.delattr(np, "bitwise_count", raising=False)


@pytest.mark.usefixtures("numpy_of")
def test_bits_are_counted() -> None:
    values = np.array([[0, 1, 2**32 - 1], [0x0F0F, 0x8000_0001, 7]], np.uint32)
    assert count_bits(values).tolist() == [[0, 1, 32], [8, 2, 3]]
