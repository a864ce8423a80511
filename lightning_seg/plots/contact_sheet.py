"""Contact sheets of many pictures."""

from collections.abc import Sequence
from math import ceil

from matplotlib.figure import Figure

from lightning_seg.images import Array
from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.palette import class_patches


def draw_contact_sheet(
    pictures: Sequence[Array],
    captions: Sequence[str],
    class_names: Sequence[str],
    columns: int = 4,
    tint_background: bool = False,
) -> Figure:
    """Pictures ``(H, W, 3)`` uint8 of any sizes in rows, with captions above, and their tints, if any, below.

    Args:
        pictures: at least one.
        captions: of the pictures.
        class_names: of the classes that pictures are tinted by.
        columns: at most.
        tint_background: whether the background is tinted, too.
    """
    columns = min(columns, len(pictures))
    rows = ceil(len(pictures) / columns)
    figure = new_figure(2.6 * columns + 0.6, 2.7 * rows + 0.5)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes:
        axis.set_axis_off()
    for axis, picture, caption in zip(axes, pictures, captions, strict=False):
        axis.imshow(picture)
        axis.set_title(caption, fontsize=7)
    patches = class_patches(class_names, tint_background)
    if patches:
        figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 2 * columns), frameon=False)
    return figure
