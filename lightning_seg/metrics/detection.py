"""How well objects are found, against boxes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import box_iou

from lightning_seg.batch import BoxPrediction

LOOSE, USUAL = 0.3, 0.5
"""Intersections over union that count as found: windows are coarse, and half is what others report."""


class DetectionScores(Metric):
    """Means over the pictures with boxes of one class each; others are left out.

    * ``pointing_game``: share of pictures whose heat map of the class is highest inside one of its boxes (Zhang et al.,
      "Top-down Neural Attention by Excitation Backprop", ECCV 2016; no tolerance around the box);
    * ``recall_30``: share of boxes that a detection of the class meets with an intersection over union of 0.3;
    * ``map_30``, ``map_50``: mean average precision at 0.3 and 0.5, as COCO computes it (torchmetrics).
    """

    pointed: Tensor
    pictures: Tensor
    met: Tensor
    boxes: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("pointed", "pictures", "met", "boxes"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.precision = {threshold: MeanAveragePrecision(iou_thresholds=[threshold]) for threshold in (LOOSE, USUAL)}

    def update(self, prediction: BoxPrediction, label: int, boxes: Tensor, size: Sequence[int]) -> None:
        """One picture.

        Args:
            prediction: what was found.
            label: index of the label that all boxes have.
            boxes: ``(N, 4)``: x1, y1, x2, y2 in pixels of the file.
            size: (height, width) of the file.
        """
        if not len(boxes):
            return
        boxes = boxes.cpu()
        mine = prediction.labels == label
        overlaps = box_iou(boxes, prediction.boxes[mine])
        self.pictures += 1
        self.boxes += len(boxes)
        self.met += int((overlaps >= LOOSE).any(dim=1).sum())
        self.pointed += int(_points_at(prediction.maps[label], boxes, size))
        labels = torch.full((len(boxes),), label, dtype=torch.int64)
        found = {"boxes": prediction.boxes, "scores": prediction.scores, "labels": prediction.labels}
        for metric in self.precision.values():
            metric.update([found], [{"boxes": boxes, "labels": labels}])

    def compute(self) -> dict[str, float]:
        """Empty where no picture had a box."""
        if not self.pictures:
            return {}
        values = {
            "pointing_game": (self.pointed / self.pictures).item(),
            f"recall_{round(100 * LOOSE)}": (self.met / self.boxes).item(),
        }
        return values | {
            f"map_{round(100 * threshold)}": metric.compute()["map"].item()
            for threshold, metric in self.precision.items()
        }

    def reset(self) -> None:
        super().reset()
        for metric in getattr(self, "precision", {}).values():
            metric.reset()


def _points_at(heat: Tensor, boxes: Tensor, size: Sequence[int]) -> bool:
    """Whether the middle of the highest cell lies in a box."""
    row, column = divmod(int(heat.argmax()), heat.shape[1])
    y, x = (row + 0.5) * size[0] / heat.shape[0], (column + 0.5) * size[1] / heat.shape[1]
    inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
    return bool(inside.any())
