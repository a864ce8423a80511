"""The shipped pipelines by name. Masks move with their picture and are never interpolated."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import TypeAlias

import albumentations as A
import cv2

from lightning_seg.augmentation.checks import check_transform
from lightning_seg.augmentation.image_pipelines import IMAGE_PIPELINES, Transforms, flip, hue_jitter
from lightning_seg.augmentation.transforms import Transform, build_transform
from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.errors import ConfigError

# A bare dict: jsonargparse leaves what is in it alone, so that build_transform can say what is wrong there.
Augment: TypeAlias = bool | str | list[str | dict | Transform]  # type: ignore[type-arg]
"""Values of ``augment``, see ``resolve_pipeline`` and ``build_transform``."""


def flip_affine_brightness() -> Transforms:
    """Flips, scale 0.8 to 1.25, shift up to a tenth, brightness and contrast up to a fifth."""
    return [*flip(), affine(scale=(0.8, 1.25)), A.RandomBrightnessContrast(0.2, 0.2, p=0.5)]


def flip_affine_colour() -> Transforms:
    """Flips, scale 0.8 to 1.25, shift up to a tenth, jitter of all colour properties."""
    return [*flip(), affine(scale=(0.8, 1.25)), colour_jitter()]


def flip_rotate_colour() -> Transforms:
    """Flips, scale 0.7 to 1.4, shift up to a tenth, turns up to 15 degrees, jitter of all colour properties."""
    return [*flip(), affine(scale=(0.7, 1.4), degrees=15.0), colour_jitter()]


def flip_shift_hue() -> Transforms:
    """Flips, shift up to a tenth that leaves black pixels, hue: the augmentation of the Carvana tutorial."""
    return [*flip(), pixel_shift(fill_mask=0), hue_jitter()]


def flip_shift_hue_ignored() -> Transforms:
    """The same, but the black pixels are ignored in the mask."""
    return [*flip(), pixel_shift(fill_mask=IGNORE_INDEX), hue_jitter()]


def affine(scale: tuple[float, float], shift: float = 0.1, degrees: float = 0.0) -> A.BasicTransform:
    """Nine of ten pictures are scaled (each side separately), shifted by a share of it and rotated; borders are
    mirrored.
    """
    return A.Affine(
        scale=scale,
        translate_percent=(-shift, shift),
        rotate=(-degrees, degrees),
        border_mode=cv2.BORDER_REFLECT_101,
        mask_interpolation=cv2.INTER_NEAREST,
        p=0.9,
    )


def pixel_shift(fill_mask: int, share: float = 0.1) -> A.BasicTransform:
    """Every picture moves by whole pixels, up to a share of each side, drawn for each side; new pixels are 0."""
    return A.Affine(
        translate_percent=(-share, share),
        border_mode=cv2.BORDER_CONSTANT,
        fill=0,
        fill_mask=fill_mask,
        mask_interpolation=cv2.INTER_NEAREST,
        p=1.0,
    )


def colour_jitter() -> A.BasicTransform:
    """Brightness and contrast +-30 %, saturation +-50 %, hue +-0.05 of the circle; image only."""
    return A.ColorJitter(brightness=(0.7, 1.3), contrast=(0.7, 1.3), saturation=(0.5, 1.5), hue=(-0.05, 0.05), p=0.8)


PIPELINES: dict[str, Callable[[], Transforms]] = {
    pipeline.__name__: pipeline
    for pipeline in (
        *IMAGE_PIPELINES,
        flip_affine_brightness,
        flip_affine_colour,
        flip_rotate_colour,
        flip_shift_hue,
        flip_shift_hue_ignored,
    )
}


def resolve_pipeline(augment: Augment, default: str) -> Transforms:
    """``True`` is the dataset's default pipeline, ``False`` none, a string one of ``PIPELINES``, a list its own
    transforms.

    Raises:
        ConfigError: if there is no such pipeline, or a transform is wrong, see ``build_transform`` and
            ``check_transform``.
    """
    if isinstance(augment, bool):
        return PIPELINES[default]() if augment else []
    if not isinstance(augment, str):
        transforms = [build_transform(item) for item in augment]
        for transform in transforms:
            check_transform(transform)
        return transforms
    if augment not in PIPELINES:
        near = get_close_matches(augment, PIPELINES, n=1, cutoff=0.0)[0]
        raise ConfigError(
            f"augment {augment!r} is no pipeline; did you mean {near!r}? There are {', '.join(PIPELINES)}"
        )
    return PIPELINES[augment]()
