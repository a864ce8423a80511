"""Pictures with their true and predicted classes."""

from collections.abc import Sequence
from math import ceil, sqrt

from matplotlib.figure import Figure
from torch import Tensor

from lightning_seg.plots.figures import new_figure
from lightning_seg.plots.palette import BLUE, VERMILLION

RIGHT, WRONG = BLUE, VERMILLION
TITLE_LENGTH = 34
"""Letters that fit above a picture."""


def draw_labels(images: Tensor, labels: Tensor, probs: Tensor, class_names: Sequence[str]) -> Figure:
    """A square of pictures with titles "true (predicted 62 %)", blue if both are the same and vermillion otherwise.

    Args:
        images: ``(N, 3, H, W)`` uint8 RGB.
        labels: ``(N,)`` class indices.
        probs: ``(N, C)``.
        class_names: by class index.
    """
    columns = ceil(sqrt(len(images)))
    rows = ceil(len(images) / columns)
    figure = new_figure(2.8 * columns, 3.1 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis in axes:
        axis.set_axis_off()
    for axis, image, label, answer in zip(axes, images, labels.tolist(), probs, strict=False):
        predicted = int(answer.argmax())
        axis.imshow(image.permute(1, 2, 0).cpu().numpy())
        words = class_names[label], f"({class_names[predicted]} {100 * answer[predicted].item():.0f} %)"
        title = ("\n" if len(" ".join(words)) > TITLE_LENGTH else " ").join(words)
        axis.set_title(title, fontsize=9, color=RIGHT if predicted == label else WRONG)
    return figure
