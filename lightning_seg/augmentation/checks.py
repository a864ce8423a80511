"""Checks of transforms: they may move a mask's pixels, but not mix classes or silently invent pixels."""

import logging
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from lightning_seg.augmentation.transforms import Transform, check_names, single_transforms
from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.errors import ConfigError

log = logging.getLogger(__name__)


def check_transform(transform: Transform) -> None:
    """Raise an error where Albumentations accepts a wrong argument, or only warns about it.

    Raises:
        ConfigError: for an argument that does not exist, or if masks would be interpolated.
    """
    for single in single_transforms([transform]):
        kind = type(single)
        check_names(kind, getattr(single, "invalid_args", ()))
        interpolation = getattr(single, "mask_interpolation", cv2.INTER_NEAREST)
        if interpolation not in (cv2.INTER_NEAREST, cv2.INTER_NEAREST_EXACT):
            raise ConfigError(
                f"augment: {kind.__name__} mask_interpolation {interpolation} would mix the numbers of classes; leave "
                f"it out, or give {cv2.INTER_NEAREST}, the nearest pixel"
            )


def check_fill(transforms: Sequence[Transform], class_names: Sequence[str]) -> None:
    """Check the class of the pixels that a transform adds, for instance beside a rotated picture.

    Albumentations fills them with 0 by default. That is right where class 0 is the background; elsewhere there is a
    warning.

    Raises:
        ConfigError: if the fill value is neither a class nor ignored.
    """
    for single in single_transforms(transforms):
        name = type(single).__name__
        for argument in ("fill_mask", "mask_drop_value"):
            _check_class(name, argument, getattr(single, argument, None), len(class_names))
        if _invents_zeros(single) and class_names[0].lower() != "background":
            log.warning(
                f"augment: {name} calls the pixels that it invents {class_names[0]!r}, class 0; give it fill_mask "
                f"{IGNORE_INDEX}, which does not count{_mirror(single)}"
            )


def _check_class(name: str, argument: str, value: Any, num_classes: int) -> None:
    given = [] if value is None else np.atleast_1d(value).tolist()
    if set(given) - {*range(num_classes), IGNORE_INDEX}:
        raise ConfigError(
            f"augment: {name} {argument} {value} is no class; give 0 to {num_classes - 1}, or {IGNORE_INDEX}, "
            "which does not count"
        )


def _invents_zeros(single: object) -> bool:
    constant = getattr(single, "border_mode", cv2.BORDER_CONSTANT) == cv2.BORDER_CONSTANT
    return constant and getattr(single, "fill_mask", None) == 0 and getattr(single, "pad_if_needed", True)


def _mirror(single: object) -> str:
    return f", or border_mode {cv2.BORDER_REFLECT_101}, which mirrors" if hasattr(single, "border_mode") else ""
