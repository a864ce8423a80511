"""Colours of classes, the same in every picture of this package."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Patch

from lightning_seg.images import Array


def class_palette(num_classes: int) -> Array:
    """``(256, 3)`` uint8: a row per class index, white for the ignore index 255, black between them.

    With more than 256 classes, for which there are no masks, there are as many rows.
    """
    palette = np.zeros((max(256, num_classes), 3), np.uint8)
    colours = colormaps["tab10" if num_classes <= 10 else "turbo"]
    positions = np.arange(num_classes) if num_classes <= 10 else np.linspace(0, 1, num_classes)
    palette[:num_classes] = np.round(255 * colours(positions)[:, :3])
    if num_classes < 256:
        palette[255] = 255
    return palette


def class_patches(class_names: Sequence[str]) -> list[Patch]:
    """The entries of a legend, in the order of the classes."""
    palette = class_palette(len(class_names))
    return [Patch(color=palette[index] / 255, label=name) for index, name in enumerate(class_names)]
