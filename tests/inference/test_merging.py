"""Overlapping boxes of one class become one; computed by hand."""

import pytest
import torch

from lightning_seg.inference.merging import Boxes, merge_boxes


def make(*rows: tuple[list[float], float, int]) -> Boxes:
    boxes, scores, labels = zip(*rows, strict=True)
    return Boxes(torch.tensor(boxes), torch.tensor(scores), torch.tensor(labels))


TWO = make(([10.0, 0, 20, 10], 0.2, 1), ([12.0, 0, 22, 10], 0.6, 1), ([100.0, 0, 110, 10], 0.5, 1))


def test_fusion_is_the_mean_weighted_by_score() -> None:
    merged = merge_boxes(TWO, "fusion", 0.5)
    # (0.6 * 12 + 0.2 * 10) / 0.8 = 11.5
    assert merged.boxes.tolist() == [pytest.approx([11.5, 0, 21.5, 10]), [100, 0, 110, 10]]
    assert merged.scores.tolist() == pytest.approx([0.6, 0.5])


def test_nms_keeps_the_best() -> None:
    merged = merge_boxes(TWO, "nms", 0.5)
    assert merged.boxes.tolist() == [[12, 0, 22, 10], [100, 0, 110, 10]]


def test_none_keeps_all_in_the_order_of_their_scores() -> None:
    assert merge_boxes(TWO, "none", 0.5).scores.tolist() == pytest.approx([0.6, 0.5, 0.2])


def test_a_small_box_in_a_large_one_is_the_same_object_for_fusion() -> None:
    """Its intersection over union is 0.04, over the smaller box 1."""
    found = make(([0.0, 0, 50, 50], 0.5, 0), ([10.0, 10, 20, 20], 0.5, 0))
    assert len(merge_boxes(found, "fusion", 0.3).scores) == 1
    assert len(merge_boxes(found, "nms", 0.3).scores) == 2


@pytest.mark.parametrize("how", ["fusion", "nms"])
def test_classes_are_not_merged(how: str) -> None:
    found = make(([0.0, 0, 10, 10], 0.5, 0), ([0.0, 0, 10, 10], 0.7, 1))
    merged = merge_boxes(found, how, 0.3)  # type: ignore[arg-type]
    assert merged.labels.tolist() == [1, 0]


@pytest.mark.parametrize("how", ["fusion", "nms", "none"])
def test_nothing_stays_nothing(how: str) -> None:
    empty = Boxes(torch.empty(0, 4), torch.empty(0), torch.empty(0, dtype=torch.int64))
    assert len(merge_boxes(empty, how, 0.3).boxes) == 0  # type: ignore[arg-type]
