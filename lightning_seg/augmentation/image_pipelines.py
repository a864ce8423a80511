"""The augmentations of the tutorials on flowers and dogs, single and combined as there.

Each keeps the size of the picture. Mask pixels move with it, by the nearest one; new pixels are mirrored, or black and
ignored. A change that the tutorials show as fixed, such as grey, happens to every second picture: a network trained on
grey pictures alone would be tested on unseen colours.
"""

from typing import Any, TypeAlias

import albumentations as A
import cv2
import numpy as np

from lightning_seg.augmentation.transforms import Transform
from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.images import Array, resize_image, resize_mask

Transforms: TypeAlias = list[Transform]


def flip() -> Transforms:
    """Left-right flip of every second picture: the augmentation of the pets tutorial."""
    return [A.HorizontalFlip(p=0.5)]


def flips() -> Transforms:
    """Left-right flip and, drawn separately, up-down flip of every second picture."""
    return [*flip(), A.VerticalFlip(p=0.5)]


def rot90() -> Transforms:
    """No turn, or one to three quarter turns; a picture that is not square is squeezed into its frame."""
    return [QuarterTurns(p=1.0)]


def rotation_36() -> Transforms:
    """Turns up to 36 degrees, a tenth of a turn, to either side; corners mirrored."""
    return [turn(36)]


def rotation_72() -> Transforms:
    """Turns up to 72 degrees, a fifth of a turn, to either side; corners mirrored."""
    return [turn(72)]


def zoom() -> Transforms:
    """Scaled by 0.9 to 1.1 around the centre, both sides alike; borders mirrored."""
    return [turn(0, scale=(0.9, 1.1))]


def center_crop() -> Transforms:
    """The central half of both sides of every second picture, resized back."""
    return [crop_back(0.25, 0.25, p=0.5)]


def random_center_crop() -> Transforms:
    """The central 50 to 100 % of both sides, drawn for each picture, resized back."""
    return [crop_back(0.0, 0.25)]


def random_crop() -> Transforms:
    """Each of the four sides loses up to a fifth, drawn separately; resized back."""
    return [crop_back(0.0, 0.2, alike=False)]


def pad_crop() -> Transforms:
    """Three black pixels on each side, then a crop of the original size anywhere in it: a move by up to 3 pixels."""
    return [A.Affine(translate_px=(-3, 3), border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=IGNORE_INDEX, p=1.0)]


def cutout() -> Transforms:
    """A grey rectangle somewhere, each side a quarter to a half of the picture's (DeVries and Taylor, 2017); ignored in
    masks.
    """
    side = (0.25, 0.5)
    return [A.CoarseDropout((1, 1), side, side, fill=128, fill_mask=IGNORE_INDEX, p=1.0)]


def invert() -> Transforms:
    """The negative of every second picture."""
    return [A.InvertImg(p=0.5)]


def grayscale() -> Transforms:
    """Every second picture grey, by ITU-R 601: 0.299 red + 0.587 green + 0.114 blue."""
    return [A.ToGray(p=0.5)]


def hue() -> Transforms:
    """Hue turned by up to 0.1 of the circle, 36 degrees, to either side."""
    return [hue_jitter()]


def saturation() -> Transforms:
    """Every colour 0.5 to 1.5 times as far from its grey, clipped."""
    return [colours(saturation=(0.5, 1.5))]


def triple_saturation() -> Transforms:
    """In every second picture every colour three times as far from its grey, clipped."""
    return [colours(saturation=(3.0, 3.0), p=0.5)]


def contrast() -> Transforms:
    """Every pixel 0.5 to 1.5 times as far from the picture's mean grey, clipped."""
    return [colours(contrast=(0.5, 1.5))]


def brightness() -> Transforms:
    """Adds or subtracts up to half of the range, 127 of 255; clipped."""
    return [shift_brightness(-0.5, 0.5)]


def brighter() -> Transforms:
    """Adds 0.4 of the range, 102 of 255, to all pixels of every second picture; clipped."""
    return [shift_brightness(0.4, 0.4, p=0.5)]


def jpeg() -> Transforms:
    """Compressed as JPEG with a quality from 20 to 95 of 100."""
    return [Jpeg(quality_range=(20, 95), p=1.0)]


def flips_rotation() -> Transforms:
    """Flips both ways and turns up to 72 degrees: the first flowers tutorial."""
    return [*flips(), *rotation_72()]


def flip_rotation_zoom() -> Transforms:
    """Left-right flip, turns up to 36 degrees, scale 0.9 to 1.1: the second flowers tutorial."""
    return [*flip(), turn(36, scale=(0.9, 1.1))]


def pad_crop_brightness() -> Transforms:
    """A move by up to 3 pixels, brightness up to half of the range: the first flowers tutorial's own function."""
    return [*pad_crop(), *brightness()]


def dogs() -> Transforms:
    """Left-right flip and brightness up to a fifth of the range, 51 of 255: the dogs tutorial."""
    return [*flip(), shift_brightness(-0.2, 0.2)]


def turn(degrees: float, scale: tuple[float, float] = (1.0, 1.0)) -> A.BasicTransform:
    """Rotated by up to so many degrees to either side and scaled, around the centre, with one interpolation."""
    return A.Affine(rotate=(-degrees, degrees), scale=scale, keep_ratio=True, border_mode=cv2.BORDER_REFLECT_101, p=1.0)


def crop_back(least: float, most: float, alike: bool = True, p: float = 1.0) -> A.BasicTransform:
    """Crops a share of every side, one draw for all or one for each, and resizes to the original size."""
    return A.CropAndPad(
        percent=(-most, -least),
        sample_independently=not alike,
        mask_interpolation=cv2.INTER_NEAREST_EXACT,
        # Nothing is padded; check_fill would warn of zeros.
        border_mode=cv2.BORDER_REFLECT_101,
        p=p,
    )


def shift_brightness(least: float, most: float, p: float = 1.0) -> A.BasicTransform:
    """Adds a share of the range 0..255 to all pixels."""
    return A.RandomBrightnessContrast(brightness_limit=(least, most), contrast_limit=(0.0, 0.0), p=p)


def colours(
    contrast: tuple[float, float] = (1.0, 1.0), saturation: tuple[float, float] = (1.0, 1.0), p: float = 1.0
) -> A.BasicTransform:
    """``ColorJitter`` of the named properties alone: by default it changes the others as well."""
    return A.ColorJitter(brightness=(1.0, 1.0), contrast=contrast, saturation=saturation, hue=(0.0, 0.0), p=p)


def hue_jitter() -> A.BasicTransform:
    """Hue +-0.1 of the circle; image only."""
    # In units of two degrees.
    return A.HueSaturationValue(hue_shift_limit=18, sat_shift_limit=0, val_shift_limit=0, p=1.0)


class QuarterTurns(A.RandomRotate90):  # type: ignore[misc]
    """Quarter turns that keep the size of the picture."""

    def apply(self, img: Array, **params: Any) -> Array:
        return resize_image(super().apply(img, **params), img.shape[:2])

    def apply_to_mask(self, mask: Array, **params: Any) -> Array:
        return resize_mask(super().apply(mask, **params), mask.shape[:2])


class Jpeg(A.ImageCompression):  # type: ignore[misc]
    """JPEG compression in the right colour order: Albumentations swaps red and blue, which JPEG stores with different
    quality.
    """

    def apply(self, img: Array, *args: Any, **params: Any) -> Array:
        compressed: Array = super().apply(np.ascontiguousarray(img[..., ::-1]), *args, **params)
        return np.ascontiguousarray(compressed[..., ::-1])


IMAGE_PIPELINES = (
    flip,
    flips,
    rot90,
    rotation_36,
    rotation_72,
    zoom,
    center_crop,
    random_center_crop,
    random_crop,
    pad_crop,
    cutout,
    invert,
    grayscale,
    hue,
    saturation,
    triple_saturation,
    contrast,
    brightness,
    brighter,
    jpeg,
    flips_rotation,
    flip_rotation_zoom,
    pad_crop_brightness,
    dogs,
)
