"""Whether two pictures show the same, by pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seg.doctor.dataset.likeness import Thumbnail, correlation, read_thumbnail, warp_between
from lightning_seg.images import Array

LARGE = 256


def scene(seed: int) -> Array:
    """Structure at all scales, ``(256, 256, 3)``."""
    generator = np.random.default_rng(seed)
    noise = [generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8) for cells in (3, 6, 12, 24)]
    parts = [Image.fromarray(one).resize((LARGE, LARGE), Image.Resampling.BICUBIC) for one in noise]
    return np.asarray(np.mean([np.asarray(part, np.float64) for part in parts], axis=0).round(), np.uint8)


def seen(pixels: Array, tmp_path: Path) -> Thumbnail:
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return read_thumbnail(tmp_path / "one.png")


def test_a_picture_lies_on_itself_unmoved(tmp_path: Path) -> None:
    one = seen(scene(0), tmp_path)
    warp = warp_between(one, one)
    assert warp == pytest.approx(np.eye(2, 3), abs=1e-3)


def test_how_a_cropped_copy_lies_is_measured(tmp_path: Path) -> None:
    """Without 12 columns at the left, 244 columns become 64 in place of 61: x becomes (x - 3) * 64 / 61."""
    warp = warp_between(seen(scene(0), tmp_path), seen(scene(0)[:, 12:], tmp_path))
    assert warp == pytest.approx(np.array([[64 / 61, 0, -3 * 64 / 61], [0, 1, 0]]), abs=0.05)


def test_another_picture_is_another_one(tmp_path: Path) -> None:
    assert all(warp_between(seen(scene(0), tmp_path), seen(scene(seed), tmp_path)) is None for seed in range(1, 20))


def test_what_is_alike_everywhere_and_never_the_same_is_another_picture(tmp_path: Path) -> None:
    """Two pictures of one contrast, mixed: correlation with the first is 0.55 / (0.55**2 + 0.45**2) ** 0.5 = 0.77."""
    mixed = (0.55 * scene(0) + 0.45 * scene(1)).astype(np.uint8)
    assert warp_between(seen(scene(0), tmp_path), seen(mixed, tmp_path)) is None


def test_a_pale_place_counts_as_much_as_others(tmp_path: Path) -> None:
    """Three of sixteen columns are another picture of half the contrast: the correlation as a whole is
    13 / (16 * (13 + 3 / 4)) ** 0.5 = 0.88.
    """
    other = scene(0)
    other[:, 208:] = 64 + scene(1)[:, 208:] // 2
    assert warp_between(seen(scene(0), tmp_path), seen(other, tmp_path)) is None


def test_what_differs_in_one_place_is_another_picture(tmp_path: Path) -> None:
    """Three quarters of both are the same, yet a quarter of the squares is not."""
    other = scene(0)
    other[:, 192:] = scene(1)[:, 192:]
    assert warp_between(seen(scene(0), tmp_path), seen(other, tmp_path)) is None
    other = scene(0)
    other[:64, 224:] = scene(1)[:64, 224:]  # 2 of 64 squares, as a watermark
    assert warp_between(seen(scene(0), tmp_path), seen(other, tmp_path)) is not None


def test_a_plain_picture_is_like_no_other(tmp_path: Path) -> None:
    plain = seen((128 + 0.03 * scene(0)).astype(np.uint8), tmp_path)
    assert warp_between(plain, plain) is None


def test_correlation_is_pearsons() -> None:
    # Deviations (-1, 0, 1) and (-1, 1, 0): 1 / 2.
    assert correlation(np.array([1.0, 2, 3]), np.array([4.0, 6, 5])) == pytest.approx(0.5)
    assert correlation(np.ones(3), np.array([1.0, 2, 3])) == 0
