"""Labels and masks that may be wrong: small cases by hand, and errors that were planted."""

import pytest
import torch

from lightning_seg.metrics.label_errors import (
    Suspicion,
    far_out,
    mask_disagreement,
    sure_margin,
    suspected_labels,
)


def test_labels_are_suspected_by_the_thresholds_of_their_classes() -> None:
    likely = torch.tensor([0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.5, 0.65])
    probs, labels = torch.stack([1 - likely, likely], dim=1), torch.tensor([0, 0, 0, 1, 1, 1, 0, 0])
    # A quarter of the pictures of class 1 have 0.65 or less (halfway from 0.6 to 0.7), of class 0 0.5 or less.
    found = suspected_labels(probs, labels, 0.0)
    assert [(one.picture, one.proposed) for one in found] == [(7, 1)]
    assert [one.margin for one in found] == pytest.approx([0.3])
    assert suspected_labels(probs, labels, 0.31) == []


def test_a_class_of_which_the_network_is_less_sure_than_usual_proposes_nothing() -> None:
    # Of class 1 it is usually 0.95 sure, here 0.78.
    probs = torch.tensor([[0.05, 0.95]] * 8 + [[0.22, 0.78], [0.9, 0.1]])
    assert suspected_labels(probs, torch.tensor([1] * 8 + [0, 0]), 0.5) == []


def test_a_probability_of_eight_tenths_is_enough_whatever_is_usual() -> None:
    probs = torch.tensor([[0.01, 0.99]] * 8 + [[0.15, 0.85], [0.9, 0.1]])
    assert [one.picture for one in suspected_labels(probs, torch.tensor([1] * 8 + [0, 0]), 0.5)] == [8]


def test_a_network_is_sure_by_half_of_its_margin_where_it_is_right() -> None:
    probs = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.0, 0.0, 1.0]])
    assert sure_margin(probs, torch.tensor([0, 1, 0])) == pytest.approx((0.5 + 0.3) / 2 / 2)
    assert sure_margin(probs, torch.tensor([1, 2, 0])) == 1


def test_doubts_are_no_suspicion() -> None:
    probs = torch.tensor([[0.45, 0.55], [0.55, 0.45], [0.45, 0.55]])
    labels = torch.tensor([0, 0, 1])
    assert suspected_labels(probs, labels, least=0.2) == []
    assert [one.picture for one in suspected_labels(probs, labels, least=0.05)] == [0]


def test_a_class_that_no_picture_has_is_not_proposed() -> None:
    probs = torch.tensor([[0.1, 0.2, 0.7], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]])
    assert suspected_labels(probs, torch.tensor([0, 1, 0]), 0.0) == []


def test_planted_label_errors_come_first() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    logits = 4 * torch.eye(3)[labels] + torch.randn(60, 3, generator=generator)
    wrong = labels.clone()
    wrong[[7, 31]] = (labels[[7, 31]] + 1) % 3
    probs = logits.softmax(dim=1)
    found = suspected_labels(probs, wrong, sure_margin(probs, wrong))
    assert {one.picture for one in found[:2]} == {7, 31}
    assert all(isinstance(one, Suspicion) and one.proposed == labels[one.picture] for one in found[:2])


def test_disagreement_of_masks_by_hand() -> None:
    # Two classes on 2 x 2 pixels; the network says 1 where the mask says 0 once, with 0.9, and is right otherwise.
    first = torch.tensor([[0.1, 0.8], [0.2, 0.3]])
    probs = torch.stack([first, 1 - first]).unsqueeze(0)
    mask = torch.tensor([[[0, 0], [1, 1]]])
    found = mask_disagreement(probs, mask)
    # IoU of class 0 is 1/2, of class 1 it is 2/3.
    assert found.iou.tolist() == pytest.approx([7 / 12])
    assert found.confidence.tolist() == pytest.approx([0.9])
    assert found.score.tolist() == pytest.approx([5 / 12 * 0.9])


def test_masks_that_agree_score_nothing_and_ignored_pixels_do_not_count() -> None:
    probs = torch.tensor([0.9, 0.1]).view(1, 2, 1, 1).expand(3, 2, 2, 2)
    masks = torch.stack([torch.zeros(2, 2), torch.tensor([[0, 255], [0, 255]]), torch.full((2, 2), 255)]).long()
    score = mask_disagreement(probs, masks).score
    assert score[:2].tolist() == [0, 0]
    assert score[2].isnan()


def test_far_out_scores_are_found_and_do_not_hide_each_other() -> None:
    scores = torch.tensor([0.1, 0.12, 0.9, 0.11, 0.09, float("nan"), 0.1, 0.8, 0.12, 0.11])
    assert far_out(scores) == [2, 7]


def test_of_few_scores_nothing_is_far_out() -> None:
    assert far_out(torch.tensor([0.1, 0.1, 0.1, 0.9])) == []
