"""Metrics of single pictures and of contours."""

from collections.abc import Sequence
from math import isnan

import torch
from torch import Tensor

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.boundary import inner_boundary
from lightning_seg.metrics.parts import MetricPart, Values

QUANTITIES = ("boundary_iou", "picture_iou", "picture_dice", "picture_boundary_iou")


class PictureMetrics(MetricPart):
    """Means over pictures, and boundary IoU.

    ``boundary_iou`` is over all contour pixels of the split, as ``iou`` is over all its pixels. ``picture_iou``,
    ``picture_dice`` and ``picture_boundary_iou`` are computed in each picture and averaged over the pictures in which a
    class is true or predicted. Ignored pixels belong to no class, neither in the mask nor in the prediction.
    """

    boundary: Tensor
    sums: Tensor
    pictures: Tensor

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__()
        self.ignored_label = ignore_index
        long = torch.int64
        self.add_state("boundary", torch.zeros(2, num_classes, dtype=long), dist_reduce_fx="sum")  # shared, either
        self.add_state("sums", torch.zeros(3, num_classes, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("pictures", torch.zeros(num_classes, dtype=long), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, mask: Tensor, foreground: Tensor | None = None) -> None:
        """Class indices ``(B, H, W)`` of both."""
        counted = mask != self.ignored_label
        for index in range(len(self.pictures)):
            predicted, true = (prediction == index) & counted, mask == index
            shared, either = _compare(predicted, true)
            shared_edge, either_edge = _compare(inner_boundary(predicted), inner_boundary(true))
            self.boundary[:, index] += torch.stack([shared_edge.sum(), either_edge.sum()])
            seen = either > 0
            shares = torch.stack([shared / either, 2 * shared / (either + shared), shared_edge / either_edge])
            # Picked out by their positions, these would have to be waited for.
            self.sums[:, index] += shares.double().where(seen, 0).sum(dim=1)
            self.pictures[index] += seen.sum()

    def by_class(self) -> Tensor:
        """``(4, C)``: ``QUANTITIES`` by class, NaN for a class that never occurs."""
        boundary = self.boundary[0].double() / self.boundary[1]
        return torch.cat([boundary.unsqueeze(0), self.sums / self.pictures])

    def values(self, class_names: Sequence[str]) -> Values:
        """Also the means over occurring classes, as ``mean_<quantity>``."""
        values: dict[str, float | None] = {}
        for quantity, by_class in zip(QUANTITIES, self.by_class().cpu(), strict=True):
            values[f"mean_{quantity}"] = by_class.nanmean().item()
            for name, value in zip(class_names, by_class.tolist(), strict=True):
                values[f"{quantity}/{name}"] = None if isnan(value) else value
        return values


def _compare(predicted: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels in both masks and in either, per picture."""
    return (predicted & true).sum(dim=(1, 2)), (predicted | true).sum(dim=(1, 2))
