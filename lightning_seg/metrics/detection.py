"""Detection metrics against boxes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision
from torchvision.ops import box_iou

from lightning_seg.batch import BoxPrediction
from lightning_seg.metrics.parts import MetricPart, Values

LOOSE, USUAL = 0.3, 0.5
"""Intersections over union of a hit: 0.3, since windows are coarse, and 0.5, which others report."""


class DetectionScores(MetricPart):
    """Metrics over pictures with all their objects known; a detection without an object counts as wrong.

    * ``pointing_game``: of all labels of all pictures, the share whose heat map is highest inside one of the label's
      boxes (Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016; no tolerance around the box);
    * ``recall_30``: share of boxes that a detection of their label meets with an intersection over union of 0.3;
    * ``map_30``, ``map_50``: mean average precision at 0.3 and 0.5, as COCO computes it (torchmetrics);
      ``map_30/<label>`` is that of one label.
    """

    pointed: Tensor
    maps: Tensor
    met: Tensor
    boxes: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("pointed", "maps", "met", "boxes"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.precision = {
            threshold: MeanAveragePrecision(iou_thresholds=[threshold], class_metrics=True)
            for threshold in (LOOSE, USUAL)
        }

    def update(self, prediction: BoxPrediction, boxes: Tensor, labels: Tensor, size: Sequence[int]) -> None:
        """One picture.

        Args:
            prediction: the detections.
            boxes: ``(N, 4)``: x1, y1, x2, y2 in pixels of the file.
            labels: ``(N,)`` int64, of the boxes.
            size: (height, width) of the file.
        """
        boxes, labels = boxes.cpu(), labels.cpu()
        for label in torch.unique(labels).tolist():
            mine = boxes[labels == label]
            overlaps = box_iou(mine, prediction.boxes[prediction.labels == label])
            self.met += int((overlaps >= LOOSE).any(dim=1).sum())
            self.pointed += int(_points_at(prediction.maps[label], mine, size))
            self.maps += 1
        self.boxes += len(boxes)
        found = {"boxes": prediction.boxes, "scores": prediction.scores, "labels": prediction.labels}
        for metric in self.precision.values():
            metric.update([found], [{"boxes": boxes, "labels": labels}])

    def values(self, class_names: Sequence[str]) -> Values:
        """The values, none without any box; those of single labels where these have boxes.

        Args:
            class_names: of the labels.
        """
        for metric in self.precision.values():
            if not metric.update_called:
                # Another process may have had pictures; one without anything changes nothing.
                nothing = {"boxes": torch.empty(0, 4), "labels": torch.empty(0, dtype=torch.int64)}
                metric.update([nothing | {"scores": torch.empty(0)}], [nothing])
        values: dict[str, float | None] = {
            "pointing_game": (self.pointed / self.maps).item() if self.boxes else None,
            f"recall_{round(100 * LOOSE)}": (self.met / self.boxes).item() if self.boxes else None,
        }
        for threshold, metric in self.precision.items():
            name = f"map_{round(100 * threshold)}"
            mean, single = _precision(metric) if self.boxes else (None, {})
            values[name] = mean
            values |= {f"{name}/{label}": single.get(index) for index, label in enumerate(class_names)}
        return values

    def reset(self) -> None:
        super().reset()
        for metric in getattr(self, "precision", {}).values():
            metric.reset()


class CentreScores(DetectionScores):
    """The same for a guess without looking, as ``centre/<name>``: a scale for the values of a detector."""

    def update(self, prediction: BoxPrediction, boxes: Tensor, labels: Tensor, size: Sequence[int]) -> None:
        super().update(guess_centre(labels, size, len(prediction.maps)), boxes, labels, size)

    def values(self, class_names: Sequence[str]) -> Values:
        return {f"centre/{name}": value for name, value in super().values(()).items()}


def _precision(metric: MeanAveragePrecision) -> tuple[float, dict[int, float]]:
    """The mean over the labels, and by label; labels without a box have none."""
    result = metric.compute()
    labels, single = result["classes"].reshape(-1).tolist(), result["map_per_class"].reshape(-1).tolist()
    # torchmetrics says -1.
    return result["map"].item(), {label: one for label, one in zip(labels, single, strict=True) if one >= 0}


def guess_centre(labels: Tensor, size: Sequence[int], num_labels: int) -> BoxPrediction:
    """A guess without looking at the picture, from its labels alone.

    It points at the middle, and puts a box of half the picture's sides there for each label.

    Args:
        labels: of the picture's boxes.
        size: (height, width) of the file.
        num_labels: of the detector.
    """
    height, width = size
    found = torch.unique(labels.cpu())
    box = torch.tensor([[width / 4, height / 4, 3 * width / 4, 3 * height / 4]])
    empty = torch.empty(0)
    maps = torch.ones(num_labels, 1, 1)
    return BoxPrediction(box.expand(len(found), 4), torch.ones(len(found)), found, maps, empty, empty, empty)


def _points_at(heat: Tensor, boxes: Tensor, size: Sequence[int]) -> bool:
    """Whether the middle of the highest cell is inside a box."""
    row, column = divmod(int(heat.argmax()), heat.shape[1])
    y, x = (row + 0.5) * size[0] / heat.shape[0], (column + 0.5) * size[1] / heat.shape[1]
    inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
    return bool(inside.any())
