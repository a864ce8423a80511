"""What every shipped pipeline must keep: the classes, and that image and mask move together."""

import colorsys

import albumentations as A
import cv2
import numpy as np
import pytest

from lightning_seg.augmentation.pipelines import PIPELINES, resolve_pipeline
from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array

PAINT = np.array([[200, 40, 60], [30, 120, 220], [120, 200, 30]], np.uint8)
FILLS = {
    "flip_shift_hue": {0},
    **{name: {255} for name in ("flip_shift_hue_ignored", "pad_crop", "pad_crop_brightness", "cutout")},
}
"""What pipelines write into the part of a mask that they have no pixels for; the others mirror."""
OTHER_COLOURS = {"grayscale", "jpeg"}
"""What makes two paints alike or stains them; none moves a pixel."""


def scene() -> tuple[Array, Array]:
    """Three classes numbered 3, 9 and 200, so that an average of two of them is a number of its own."""
    mask = np.full((96, 128), 3, np.uint8)
    cv2.circle(mask, (45, 40), 26, 9, -1)
    cv2.rectangle(mask, (70, 50), (118, 90), 200, -1)
    image = PAINT[np.searchsorted([3, 9, 200], mask)]
    return image, mask


@pytest.mark.parametrize("name", [name for name in PIPELINES if name not in OTHER_COLOURS])
@pytest.mark.parametrize("epoch", range(25))
def test_no_class_is_invented_and_the_painted_mask_stays_on_the_image(name: str, epoch: int) -> None:
    image, mask = scene()
    moved_image, moved_mask = SeededPipeline(PIPELINES[name](), seed=1)(image, mask, (epoch, 0))
    assert moved_image.shape == image.shape
    assert moved_mask.shape == mask.shape
    assert set(np.unique(moved_mask)) <= {3, 9, 200} | FILLS.get(name, set())
    colours = []
    for value in np.unique(moved_mask):
        # Away from edges and the frame, where the image is interpolated, a class has the one colour of its paint.
        inside = cv2.erode((moved_mask == value).astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0) > 0
        if inside.sum() > 30:
            pixels = moved_image[inside].astype(int)
            assert np.ptp(pixels, axis=0).max() <= 8
            colours.append(np.median(pixels, axis=0))
    assert len(colours) >= 2
    assert min(np.abs(a - b).max() for i, a in enumerate(colours) for b in colours[:i]) > 25


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_does_something(name: str) -> None:
    image, mask = scene()
    pipeline = SeededPipeline(PIPELINES[name]())
    assert any(not np.array_equal(pipeline(image, mask, (epoch, 0))[0], image) for epoch in range(10))


def test_a_flip_is_a_flip() -> None:
    image, mask = scene()
    pipeline = SeededPipeline([A.HorizontalFlip(p=1.0)])
    flipped_image, flipped_mask = pipeline(image, mask, (0, 0))
    assert np.array_equal(flipped_image, image[:, ::-1])
    assert np.array_equal(flipped_mask, mask[:, ::-1])


def numbered(height: int, width: int) -> tuple[Array, Array]:
    """Every pixel of the mask has a number of its own, from 1 on; the image shows it as a grey, which has no hue."""
    mask = np.arange(1, height * width + 1, dtype=np.uint8).reshape(height, width)
    return np.stack([mask] * 3, axis=2), mask


def moved(pixels: Array, down: int, right: int, fill: int) -> Array:
    """By slices: the part that stays in the frame, and ``fill`` elsewhere."""
    height, width = pixels.shape[:2]
    result = np.full_like(pixels, fill)
    rows, columns = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
    result[rows, columns] = pixels[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    return result


@pytest.mark.parametrize(("name", "fill"), [("flip_shift_hue", 0), ("flip_shift_hue_ignored", 255)])
@pytest.mark.parametrize(("down", "right"), [(2, 3), (-1, 2), (0, -3), (0, 0)])
def test_a_shift_of_known_size(name: str, fill: int, down: int, right: int) -> None:
    image, mask = numbered(10, 20)
    _, shift, _ = PIPELINES[name]()
    # A range of one value; a little more, since the product with the size is cut to whole pixels.
    near = {"x": right * 1.001 / 20, "y": down * 1.001 / 10}
    shift.translate_percent = {axis: (share, share) for axis, share in near.items()}

    shifted_image, shifted_mask = SeededPipeline([shift])(image, mask, (0, 0))

    assert np.array_equal(shifted_image, moved(image, down, right, 0))
    assert np.array_equal(shifted_mask, moved(mask, down, right, fill))


def test_shifts_reach_a_tenth_of_each_side_and_are_drawn_apart() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[20, 30] = 1
    _, shift, _ = PIPELINES["flip_shift_hue"]()
    pipeline = SeededPipeline([shift])
    found = set()
    for index in range(2000):
        row, column = np.argwhere(pipeline(np.stack([mask] * 3, axis=2), mask, (0, index))[1])[0].tolist()
        found.add((row - 20, column - 30))
    # A whole tenth, 4 and 6 pixels, is the end of the range: it has no chance.
    assert found == {(down, right) for down in range(-3, 4) for right in range(-5, 6)}


def test_hue_turns_by_a_tenth_of_the_circle_at_most() -> None:
    image = np.array([[[200, 60, 60], [60, 200, 90], [70, 90, 220], [220, 200, 40], [90, 90, 90]]], np.uint8)
    mask = np.array([[0, 1, 2, 3, 4]], np.uint8)
    _, _, hue = PIPELINES["flip_shift_hue"]()
    pipeline = SeededPipeline([hue])
    before = [colorsys.rgb_to_hsv(*pixel) for pixel in (image[0] / 255).tolist()]
    turns = []
    for index in range(200):
        turned_image, turned_mask = pipeline(image, mask, (0, index))
        assert np.array_equal(turned_mask, mask)
        assert turned_image[0, 4].tolist() == [90, 90, 90]
        after = [colorsys.rgb_to_hsv(*pixel) for pixel in (turned_image[0] / 255).tolist()]
        for (hue_before, *others_before), (hue_after, *others_after) in zip(before[:4], after[:4], strict=True):
            assert others_after == pytest.approx(others_before, abs=0.02)
            turns.append((hue_after - hue_before + 0.5) % 1 - 0.5)
    # 180 steps make the circle, and one of them is lost to rounding on each way.
    assert 0.09 < max(turns) < 0.1 + 2 / 180
    assert -0.1 - 2 / 180 < min(turns) < -0.09


def test_half_of_the_flips_happen() -> None:
    image, mask = scene()
    pipeline = SeededPipeline(PIPELINES["flip"]())
    flipped = sum(not np.array_equal(pipeline(image, mask, (0, index))[1], mask) for index in range(400))
    # Binomial with 400 draws: 200 +- 5 standard deviations of 10.
    assert 150 < flipped < 250


def test_augment_is_resolved_from_all_its_kinds() -> None:
    own = [A.VerticalFlip()]
    assert resolve_pipeline(False, "flip") == []
    assert [type(step) for step in resolve_pipeline(True, "flip")] == [A.HorizontalFlip]
    assert len(resolve_pipeline("flip_affine_brightness", "flip")) == 3
    assert resolve_pipeline(own, "flip") == own


def test_a_misspelt_pipeline_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'flipp' is no pipeline; did you mean 'flip'"):
        resolve_pipeline("flipp", "flip")
