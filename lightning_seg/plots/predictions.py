"""Pictures beside their true and predicted masks."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.palette import class_patches, palette_of

TITLES = ("image", "true mask", "predicted mask")


def draw_predictions(images: Tensor, masks: Tensor, predictions: Tensor, class_names: Sequence[str]) -> Figure:
    """One row per sample.

    Args:
        images: ``(N, 3, H, W)`` uint8 RGB.
        masks: ``(N, H, W)`` class indices, 255 = ignore.
        predictions: ``(N, H, W)`` class indices.
        class_names: for the legend.
    """
    palette = palette_of(class_names)
    rows = len(images)
    figure = new_figure(8.4, 2.8 * rows + 0.4)
    axes = figure.subplots(rows, 3, squeeze=False)
    for row, (image, mask, prediction) in enumerate(zip(images, masks, predictions, strict=True)):
        drawn = (image.permute(1, 2, 0).cpu().numpy(), palette[mask.cpu().numpy()], palette[prediction.cpu().numpy()])
        for axis, picture, title in zip(axes[row], drawn, TITLES, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.set_axis_off()
            if row == 0:
                axis.set_title(title)
    patches = class_patches(class_names)
    figure.legend(handles=patches, loc="outside lower center", ncols=min(len(patches), 8), frameon=False)
    return figure
