"""What every shipped pipeline must keep: the classes, and that image and mask move together."""

import albumentations as A
import cv2
import numpy as np
import pytest

from lightning_seg.augmentation.pipelines import PIPELINES, resolve_pipeline
from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array

PAINT = np.array([[200, 40, 60], [30, 120, 220], [120, 200, 30]], np.uint8)


def scene() -> tuple[Array, Array]:
    """Three classes numbered 3, 9 and 200, so that an average of two of them is a number of its own."""
    mask = np.full((96, 128), 3, np.uint8)
    cv2.circle(mask, (45, 40), 26, 9, -1)
    cv2.rectangle(mask, (70, 50), (118, 90), 200, -1)
    image = PAINT[np.searchsorted([3, 9, 200], mask)]
    return image, mask


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("epoch", range(25))
def test_no_class_is_invented_and_the_painted_mask_stays_on_the_image(name: str, epoch: int) -> None:
    image, mask = scene()
    moved_image, moved_mask = SeededPipeline(PIPELINES[name](), seed=1)(image, mask, (epoch, 0))
    assert moved_image.shape == image.shape
    assert moved_mask.shape == mask.shape
    assert set(np.unique(moved_mask)) <= {3, 9, 200}
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
    assert any(not np.array_equal(pipeline(image, mask, (epoch, 0))[1], mask) for epoch in range(10))


def test_a_flip_is_a_flip() -> None:
    image, mask = scene()
    pipeline = SeededPipeline([A.HorizontalFlip(p=1.0)])
    flipped_image, flipped_mask = pipeline(image, mask, (0, 0))
    assert np.array_equal(flipped_image, image[:, ::-1])
    assert np.array_equal(flipped_mask, mask[:, ::-1])


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
