"""What a network gets wrong: the worst masks, and the surest of the wrong labels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from lightning_seg.images import Array
from lightning_seg.plots.contact_sheet import draw_contact_sheet
from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.palette import class_patches, palette_of

GAP = 0.03
"""White between the pictures of an example, as a share of their width."""
TITLE = "picture, true mask, predicted mask; the worst first"


def draw_wrong_masks(
    images: Sequence[Array],
    masks: Sequence[Array],
    predictions: Sequence[Array],
    captions: Sequence[str],
    class_names: Sequence[str],
) -> Figure:
    """Each picture beside its true and its predicted mask, below its caption; two examples in a row.

    Args:
        images: ``(h, w, 3)`` uint8 RGB, of any sizes.
        masks: ``(h, w)`` class indices, 255 = ignore.
        predictions: ``(h, w)`` class indices.
        captions: of the examples.
        class_names: for the legend.
    """
    palette = palette_of(class_names)
    columns = min(2, len(images))
    rows = -(-len(images) // columns)
    examples = [
        _beside(image, palette[mask], palette[said])
        for image, mask, said in zip(images, masks, predictions, strict=True)
    ]
    shape = max(example.shape[0] / example.shape[1] for example in examples)
    figure = new_figure(6.4 * columns, (6.2 * shape + 0.4) * rows + 0.8)
    figure.suptitle(TITLE, fontsize=10)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes:
        axis.set_axis_off()
    for axis, example, caption in zip(axes, examples, captions, strict=False):
        axis.imshow(example, interpolation="nearest")
        axis.set_title(caption, fontsize=8)
    patches = class_patches(class_names)
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 8), frameon=False)
    return figure


def draw_wrong_labels(images: Sequence[Array], captions: Sequence[str]) -> Figure:
    """Pictures ``(h, w, 3)`` uint8 RGB, each below its caption."""
    return draw_contact_sheet(images, captions, ())


def _beside(*pictures: Array) -> Array:
    height, width = pictures[0].shape[:2]
    gap = np.full((height, max(1, round(GAP * width)), 3), 255, np.uint8)
    first, *others = pictures
    return np.concatenate([first, *(part for other in others for part in (gap, other))], axis=1)
