"""Merging boxes inside of an exported file, as ``inference.merging`` does it: of several pictures at once."""

import torch
from torch import Tensor
from torchvision.ops import box_area, nms

from lightning_seg.inference.boxes import BoxInference

MOST = 1024
"""Windows of all pictures that are merged at most, the best ones; ``torch.export`` needs a number."""
Merged = tuple[Tensor, Tensor, Tensor, Tensor]
"""Picture, box, score and label of each object: by picture, then the highest score first."""


def merge(boxes: Tensor, scores: Tensor, labels: Tensor, picture: Tensor, num_labels: int, how: BoxInference) -> Merged:
    """One box per object.

    Args:
        boxes: ``(M, 4)`` of windows.
        scores: ``(M,)``.
        labels: ``(M,)`` below ``num_labels``; boxes of different labels are never merged.
        picture: ``(M,)``, which picture a box is of.
        num_labels: number of labels.
        how: which way, and from which overlap on.
    """
    order = _falling(scores)
    boxes, scores, labels, picture = (values[order] for values in (boxes, scores, labels, picture))
    group = picture * num_labels + labels
    if how.merge == "nms":
        # Boxes of different groups do not meet when each group has a place of its own.
        # Without any box there is no largest side.
        apart = group.to(boxes)[:, None] * (torch.cat([boxes.flatten(), boxes.new_zeros(1)]).max() + 1)
        kept = nms(boxes + apart, scores, how.merge_overlap)
        boxes, scores, group = boxes[kept], scores[kept], group[kept]
    if how.merge == "fusion":
        boxes, scores, group = (_best(values) for values in (boxes, scores, group))
        boxes, is_first = _fused(boxes, scores, group, how.merge_overlap)
        boxes, scores, group = boxes[is_first], scores[is_first], group[is_first]
        # Of equal scores the lower label comes first, as labels are fused one after the other.
        by_label = _rising(group % num_labels)
        by_score = by_label[_falling(scores[by_label])]
        boxes, scores, group = boxes[by_score], scores[by_score], group[by_score]
    by_picture = _rising(group // num_labels)
    boxes, scores, group = boxes[by_picture], scores[by_picture], group[by_picture]
    return group // num_labels, boxes, scores, group % num_labels


def _falling(values: Tensor) -> Tensor:
    """Positions from the highest value to the lowest; ONNX puts the first of equal ones first, and so does a CPU."""
    return values.sort(descending=True).indices


def _rising(numbers: Tensor) -> Tensor:
    """Positions from the lowest whole number to the highest, the first of equal ones first."""
    unique = numbers * numbers.shape[0] + torch.arange(numbers.shape[0])
    return unique.sort().indices


def _best(values: Tensor) -> Tensor:
    """The first ``MOST``, filled up with zeros."""
    filled = torch.cat([values, values.new_zeros(MOST, *values.shape[1:])])
    return filled.index_select(0, torch.arange(MOST))


def _fused(boxes: Tensor, scores: Tensor, group: Tensor, overlap: float) -> tuple[Tensor, Tensor]:
    """Each box, the best first, joins the cluster of its group that it overlaps most, or begins one.

    Args:
        boxes: ``(MOST, 4)``, the best first.
        scores: ``(MOST,)``; 0 where there is no box.
        group: ``(MOST,)``.
        overlap: from which on boxes are joined.

    Returns:
        ``(MOST, 4)`` the mean of the cluster that a box has begun, weighted by score, and ``(MOST,)`` whether it has.
    """
    positions = torch.arange(MOST)
    number = (scores > 0).sum()

    def remains(index: Tensor, sums: Tensor, weights: Tensor) -> Tensor:
        return index < number

    def joined(index: Tensor, sums: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        here = index.unsqueeze(0)
        box, score = boxes.index_select(0, here), scores.index_select(0, here)
        is_begun = (weights > 0) & (group == group.index_select(0, here))
        shared = torch.where(is_begun, _shared(box[0], sums / _above_zero(weights)[:, None]), -1.0)
        chosen = torch.where(shared.max() >= overlap, shared.argmax(), index)
        share = (positions == chosen).to(scores) * score
        return index + 1, sums + share[:, None] * box, weights + share

    start = (torch.zeros((), dtype=torch.int64), torch.zeros_like(boxes), torch.zeros_like(scores))
    _, sums, weights = torch.while_loop(remains, joined, start)  # type: ignore[no-untyped-call]
    # The mean of one window is that window, to the bit.
    fused = torch.where((weights == scores)[:, None], boxes, sums / _above_zero(weights)[:, None])
    return fused, weights > 0


def _above_zero(numbers: Tensor) -> Tensor:
    return numbers.clamp(min=1e-12)


def _shared(box: Tensor, others: Tensor) -> Tensor:
    """``(N,)``: the intersection of a box with each other one, over the smaller of the two."""
    upper, lower = torch.maximum(box[:2], others[:, :2]), torch.minimum(box[2:], others[:, 2:])
    common = (lower - upper).clamp(min=0).prod(dim=1)
    return common / _above_zero(torch.minimum(box_area(box.unsqueeze(0)), box_area(others)))
