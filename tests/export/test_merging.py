"""Merging of boxes inside of exported files against that of the detector."""

import pytest
import torch
from torch import Tensor

from lightning_seg.export.merging import merge
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.knobs import Merge
from lightning_seg.inference.merging import Boxes, merge_boxes


def found(seed: int, number: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    corners = 100 * torch.rand(number, 2, generator=generator)
    boxes = torch.cat([corners, corners + 20 + 40 * torch.rand(number, 2, generator=generator)], dim=1)
    return boxes, torch.rand(number, generator=generator), torch.randint(0, 3, (number,), generator=generator)


@pytest.mark.parametrize("how", ["fusion", "nms", "none"])
def test_boxes_of_several_pictures_are_merged_as_those_of_each(how: Merge) -> None:
    pictures = [found(0, 40), found(1, 0), found(2, 25)]
    picture = torch.cat([torch.full((len(one[0]),), index) for index, one in enumerate(pictures)])
    inference = BoxInference(merge=how, merge_overlap=0.35)
    boxes, scores, labels = (torch.cat(values) for values in zip(*pictures, strict=True))
    merged = merge(boxes, scores, labels, picture, 3, inference)
    for index, one in enumerate(pictures):
        wanted = merge_boxes(Boxes(*one), how, 0.35)
        mine = merged[0] == index
        assert torch.equal(merged[3][mine], wanted.labels)
        torch.testing.assert_close(merged[1][mine], wanted.boxes)
        torch.testing.assert_close(merged[2][mine], wanted.scores)
    assert merged[0].tolist() == sorted(merged[0].tolist())


@pytest.mark.parametrize("how", ["fusion", "nms", "none"])
def test_without_a_box_there_is_none(how: Merge) -> None:
    boxes, scores, labels = found(0, 0)
    merged = merge(boxes, scores, labels, labels, 3, BoxInference(merge=how))
    assert [len(values) for values in merged] == [0, 0, 0, 0]


def test_two_overlapping_boxes_become_their_weighted_mean() -> None:
    """Weights 3/4 and 1/4: the right side is 3/4 * 10 + 1/4 * 14."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 14, 10], [50, 50, 60, 60]])
    scores, labels = torch.tensor([0.6, 0.2, 0.3]), torch.zeros(3, dtype=torch.int64)
    picture, merged, merged_scores, _ = merge(boxes, scores, labels, labels, 1, BoxInference())
    torch.testing.assert_close(merged, torch.tensor([[0.0, 0, 11, 10], [50, 50, 60, 60]]))
    torch.testing.assert_close(merged_scores, torch.tensor([0.6, 0.3]))
    assert picture.tolist() == [0, 0]
