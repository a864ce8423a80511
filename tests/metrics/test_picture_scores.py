"""Scores of single pictures by hand."""

from math import isnan

import pytest
import torch

from lightning_seg.metrics import SegmentationMetrics, SplitScores
from lightning_seg.metrics.classification import ClassCounts
from lightning_seg.metrics.picture_scores import PictureScores, foreground_dice, mean_picture_iou
from lightning_seg.metrics.pictures import PictureMetrics


def test_iou_is_averaged_over_the_classes_of_the_mask() -> None:
    mask = torch.tensor([[[0, 0, 1, 1]], [[0, 0, 0, 0]], [[2, 2, 255, 255]], [[255, 255, 255, 255]]])
    prediction = torch.tensor([[[0, 1, 1, 1]], [[0, 0, 0, 2]], [[2, 2, 0, 1]], [[0, 0, 0, 0]]])
    scores = mean_picture_iou(prediction, mask, num_classes=3).tolist()
    # 1/2 and 2/3; class 2 was seen by mistake, which costs class 0 a quarter; ignored pixels cost nothing.
    assert scores[:3] == pytest.approx([7 / 12, 3 / 4, 1.0])
    assert isnan(scores[3])


def test_dice_of_the_foreground() -> None:
    mask = torch.tensor([[[0, 0, 1, 1]], [[0, 0, 0, 0]], [[0, 0, 0, 0]], [[1, 255, 255, 0]]])
    prediction = torch.tensor([[[0, 1, 1, 1]], [[0, 0, 0, 0]], [[0, 0, 1, 0]], [[1, 1, 0, 0]]])
    assert foreground_dice(prediction, mask).tolist() == pytest.approx([4 / 5, 1.0, 0.0, 1.0])


def test_scores_are_kept_only_where_they_are_wanted() -> None:
    counts = SplitScores({"counts": ClassCounts(3)})
    answers, label = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]]), torch.tensor([0, 1])
    counts.update(answers, label)
    counts.picture_scores = kept = PictureScores("accuracy")
    counts.update(answers, label)
    counts.update(answers.flip(0), label)
    assert kept.quantity == "accuracy"
    assert [row.score for row in kept.take()] == [1, 0, 0, 0]
    assert kept.take() == []


def test_one_logit_is_scored_by_dice_and_classes_by_iou() -> None:
    mask, prediction = torch.tensor([[[0, 0, 1, 1]]]), torch.tensor([[[0, 1, 1, 1]]])
    for of_foreground, quantity, expected in ((True, "Dice", 4 / 5), (False, "mean IoU", 7 / 12)):
        pixels = SegmentationMetrics(2, of_foreground=of_foreground)
        counts = SplitScores({"pictures": PictureMetrics(2), "pixels": pixels})
        assert counts.of_pictures is pixels
        assert pixels.picture_quantity == quantity
        counts.picture_scores = PictureScores(quantity)
        counts.update(prediction, mask)
        assert [row.score for row in counts.picture_scores.take()] == pytest.approx([expected])
