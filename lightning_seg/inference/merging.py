"""Merging overlapping boxes of one class."""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_area

from lightning_seg.inference.knobs import Merge


class Boxes(NamedTuple):
    """Scored boxes of one picture."""

    boxes: Tensor  # (N, 4) float32: x1, y1, x2, y2 in pixels
    scores: Tensor  # (N,) float32
    labels: Tensor  # (N,) int64

    def ordered(self) -> "Boxes":
        """Sorted by score, the highest first."""
        order = self.scores.argsort(descending=True, stable=True)
        return Boxes(*(values[order] for values in self))


def merge_boxes(found: Boxes, how: Merge, overlap: float) -> Boxes:
    """One box per object, the highest score first.

    Args:
        found: boxes of all classes; those of different classes are never merged.
        how: ``nms`` keeps the best of overlapping boxes, ``fusion`` their mean, ``none`` all of them.
        overlap: overlap of boxes that are merged: intersection over union for ``nms``; for ``fusion`` intersection over
            the smaller box, so that windows of several sizes around one object are merged.

    Examples:
        Two windows share 80 of their 100 pixels.

        >>> found = Boxes(
        ...     torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10]]), torch.tensor([0.5, 0.5]), torch.tensor([3, 3])
        ... )
        >>> merge_boxes(found, "fusion", 0.35).boxes.tolist()  # their mean
        [[1.0, 0.0, 11.0, 10.0]]
        >>> merge_boxes(found, "nms", 0.35).boxes.tolist()  # the best one; 80 of 120 pixels are shared
        [[0.0, 0.0, 10.0, 10.0]]
    """
    if how == "nms":
        kept = batched_nms(found.boxes, found.scores, found.labels, overlap)
        return Boxes(*(values[kept] for values in found))
    if how == "fusion" and len(found.scores):
        parts = [_fuse(found.ordered(), label, overlap) for label in torch.unique(found.labels).tolist()]
        return Boxes(*(torch.cat(values) for values in zip(*parts, strict=True))).ordered()
    return found.ordered()


def _fuse(ordered: Boxes, label: int, overlap: float) -> Boxes:
    """Clusters of the boxes of one class, from the best on; each box joins the cluster that it overlaps most.

    A cluster's box is the mean weighted by score, and its score the best of its boxes. After weighted boxes fusion
    (Solovyev, Wang and Gabruseva 2021), whose mean score would count windows beside the object against it.
    """
    mine = ordered.labels == label
    boxes, scores = ordered.boxes[mine], ordered.scores[mine]
    # Sums that grow window by window, as in an exported file: a window may lie in the middle of two clusters, and the
    # last bit decides between them.
    sums, weights, best = boxes[:0], scores[:0], scores[:0]
    firsts: list[Tensor] = []
    for box, score in zip(boxes, scores, strict=True):
        overlaps = _shared(box, sums / weights[:, None])
        if len(overlaps) and overlaps.max() >= overlap:
            chosen = int(overlaps.argmax())
            sums[chosen] += score * box
            weights[chosen] += score
        else:
            firsts.append(box)
            sums, weights, best = (
                torch.cat([values, new[None]]) for values, new in ((sums, score * box), (weights, score), (best, score))
            )
    begun = torch.stack(firsts) if firsts else boxes[:0]
    # The mean of one window is that window, to the bit.
    fused = torch.where((weights == best)[:, None], begun, sums / weights[:, None])
    return Boxes(fused, best, torch.full((len(best),), label, dtype=torch.int64, device=best.device))


def _shared(box: Tensor, others: Tensor) -> Tensor:
    """``(N,)``: the intersection of a box with each other one, over the smaller of the two."""
    upper = torch.maximum(box[:2], others[:, :2])
    lower = torch.minimum(box[2:], others[:, 2:])
    common = (lower - upper).clamp(min=0).prod(dim=1)
    return common / torch.minimum(box_area(box.unsqueeze(0)), box_area(others))
