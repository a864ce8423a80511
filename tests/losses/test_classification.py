from math import log

import pytest
import torch
from torch import Tensor

from lightning_seg.errors import ConfigError
from lightning_seg.losses.classification import ClassificationLoss

# Probabilities of 2/3 and 1/3, and of 1/4 and 3/4.
LOGITS = torch.tensor([[log(2), 0.0], [0.0, log(3)]])
A, B = log(3), log(3 / 2)
C, D = log(4), log(4 / 3)
INDICES = torch.tensor([0, 0])
SHARES = torch.tensor([[0.75, 0.25], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("options", "label", "expected"),
    [
        ({}, INDICES, (B + C) / 2),
        ({}, torch.tensor([0, 1]), (B + D) / 2),
        ({}, SHARES, (0.75 * B + 0.25 * A + D) / 2),
        # A tenth of each label is spread over both classes.
        ({"label_smoothing": 0.1}, INDICES, (0.95 * B + 0.05 * A + 0.95 * C + 0.05 * D) / 2),
        ({"label_smoothing": 0.1}, SHARES, (0.725 * B + 0.275 * A + 0.05 * C + 0.95 * D) / 2),
        ({"class_weights": [1.0, 3.0]}, torch.tensor([0, 1]), (1 * B + 3 * D) / 4),
        ({"class_weights": [1.0, 3.0]}, torch.tensor([[1.0, 0.0], [0.0, 1.0]]), (1 * B + 3 * D) / 4),
        # The weights of the labels: 0.75 * 1 + 0.25 * 3 and 3.
        ({"class_weights": [1.0, 3.0]}, SHARES, (1 * 0.75 * B + 3 * 0.25 * A + 3 * D) / 4.5),
    ],
)
def test_loss_by_hand(options: dict[str, object], label: Tensor, expected: float) -> None:
    assert ClassificationLoss(**options)(LOGITS, label).item() == pytest.approx(expected)  # type: ignore[arg-type]


def test_what_is_measured_is_not_smoothed() -> None:
    loss = ClassificationLoss(label_smoothing=0.1).eval()
    assert loss(LOGITS, INDICES).item() == pytest.approx((B + C) / 2)


def test_class_weights_may_come_later_and_are_in_no_checkpoint() -> None:
    loss = ClassificationLoss()
    loss.weigh_classes(torch.tensor([1.0, 3.0]))
    assert loss(LOGITS, torch.tensor([0, 1])).item() == pytest.approx((B + 3 * D) / 4)
    assert ClassificationLoss(class_weights=[1.0, 3.0]).state_dict() == {}


def test_half_precision_is_computed_in_single_precision() -> None:
    logits = torch.tensor([[11.0, 0.0]], dtype=torch.bfloat16)
    loss = ClassificationLoss()(logits, torch.tensor([0]))
    # ln(1 + e^-11), which is 0 in half precision.
    assert loss.item() == pytest.approx(1.67e-5, rel=0.01)


def test_shares_cost_what_indices_cost_also_where_products_are_in_half_precision() -> None:
    loss = ClassificationLoss(class_weights=[1.003, 2.001])
    with torch.autocast("cpu", torch.bfloat16):
        of_indices, of_shares = loss(LOGITS, torch.tensor([0, 1])), loss(LOGITS, torch.eye(2))
    assert of_shares.item() == pytest.approx(of_indices.item(), rel=1e-6)


@pytest.mark.parametrize("smoothing", [-0.1, 1.5])
def test_smoothing_is_a_share(smoothing: float) -> None:
    with pytest.raises(ConfigError, match=f"label_smoothing {smoothing} must lie between 0 and 1"):
        ClassificationLoss(smoothing)


@pytest.mark.parametrize("label", [INDICES, torch.tensor([[1.0, 0.0], [1.0, 0.0]])])
def test_a_batch_of_classes_without_weight_costs_nothing_and_is_a_number(label: Tensor) -> None:
    logits = LOGITS.clone().requires_grad_()

    loss = ClassificationLoss(class_weights=[0.0, 1.0])(logits, label)
    loss.backward()

    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.tolist() == [[0, 0], [0, 0]]
