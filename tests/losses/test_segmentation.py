import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.errors import ConfigError
from lightning_seg.losses import SegmentationLoss, dice_loss

EQUAL = torch.zeros(1, 2, 2, 2)


def certain(prediction: list[list[int]]) -> Tensor:
    """Logits ``(1, 2, H, W)`` that leave no doubt about the predicted one of two classes."""
    return 1000.0 * F.one_hot(torch.tensor([prediction]), 2).permute(0, 3, 1, 2)


def random_batch() -> tuple[Tensor, Tensor]:
    """Logits ``(4, 3, 6, 5)`` with a gradient and a mask of which each picture ignores some pixels."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 3, (4, 6, 5), generator=generator)
    mask[:, 2, 1:4] = IGNORE_INDEX
    return torch.randn(4, 3, 6, 5, generator=generator).requires_grad_(), mask


def test_dice_of_certain_logits_by_hand() -> None:
    logits, mask = certain([[0, 1], [1, 1]]), torch.tensor([[[0, 0], [1, 1]]])

    # Class 0: 1 pixel shared, 1 predicted, 2 true. Class 1: 2 shared, 3 predicted, 2 true.
    assert dice_loss(logits, mask).item() == pytest.approx(1 - ((2 + 1) / (3 + 1) + (4 + 1) / (5 + 1)) / 2)
    assert dice_loss(logits, mask, smooth=0).item() == pytest.approx(1 - (2 / 3 + 4 / 5) / 2)


def test_dice_of_equal_logits_by_hand() -> None:
    mask = torch.tensor([[[0, 0], [0, 1]]])

    # Half of each pixel goes to each class. Class 0: 1.5 shared, 2 predicted, 3 true. Class 1: 0.5, 2 and 1.
    assert dice_loss(EQUAL, mask).item() == pytest.approx(1 - ((3 + 1) / (5 + 1) + (1 + 1) / (3 + 1)) / 2)


def test_dice_charges_for_a_false_alarm_on_an_absent_class() -> None:
    mask = torch.zeros(1, 2, 2, dtype=torch.long)

    assert dice_loss(certain([[0, 0], [0, 0]]), mask).item() == 0
    # Class 0: 3 shared, 3 predicted, 4 true. Class 1: nothing shared, 1 predicted.
    assert dice_loss(certain([[0, 1], [0, 0]]), mask).item() == pytest.approx(1 - ((6 + 1) / (7 + 1) + 1 / (1 + 1)) / 2)


def test_dice_of_a_batch_is_the_mean_of_its_pictures() -> None:
    logits, mask = random_batch()

    singles = [dice_loss(logits[i : i + 1], mask[i : i + 1]).item() for i in range(4)]

    assert dice_loss(logits, mask).item() == pytest.approx(sum(singles) / 4)
    assert max(singles) - min(singles) > 0.01


def test_dice_does_not_see_ignored_pixels() -> None:
    logits, mask = random_batch()
    mask[:, :, 3:] = IGNORE_INDEX

    assert dice_loss(logits, mask).item() == pytest.approx(dice_loss(logits[..., :3], mask[..., :3]).item())


@pytest.mark.parametrize(("ce_weight", "dice_weight"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_ignored_pixels_have_no_gradient(ce_weight: float, dice_weight: float) -> None:
    logits, mask = random_batch()

    SegmentationLoss(ce_weight, dice_weight, label_smoothing=0.1)(logits, mask).backward()

    assert logits.grad is not None
    steepest = logits.grad.abs().amax(dim=1)
    assert (steepest[mask == IGNORE_INDEX] == 0).all()
    assert (steepest[mask != IGNORE_INDEX] > 0).all()


def test_default_is_the_mean_cross_entropy_of_counted_pixels() -> None:
    logits, mask = random_batch()
    counted = mask != IGNORE_INDEX

    expected = F.cross_entropy(logits.permute(0, 2, 3, 1)[counted], mask[counted])

    assert SegmentationLoss()(logits, mask).item() == pytest.approx(expected.item())


def test_weights_of_the_two_losses_by_hand() -> None:
    mask = torch.tensor([[[0, 0], [0, 1]]])
    assert SegmentationLoss(2.0, 0.5)(EQUAL, mask).item() == pytest.approx(2 * math.log(2) + 0.5 * 5 / 12)


def test_label_smoothing_by_hand() -> None:
    logits = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1)
    mask = torch.zeros(1, 1, 1, dtype=torch.long)

    # The probabilities are 3/4 and 1/4; the label becomes 0.8 + 0.2 / 2 and 0.2 / 2.
    expected = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
    loss = SegmentationLoss(label_smoothing=0.2)
    assert loss(logits, mask).item() == pytest.approx(expected)
    # What is measured is not smoothed, by two logits nor by one, which is their difference.
    assert loss.eval()(logits, mask).item() == pytest.approx(-math.log(3 / 4))
    assert loss(-logits[:, :1], mask).item() == pytest.approx(-math.log(3 / 4))


def test_ignore_index_can_be_another_number() -> None:
    logits, mask = certain([[0, 1], [1, 1]]), torch.tensor([[[0, 1], [1, 7]]])
    assert SegmentationLoss(1.0, 1.0, ignore_index=7)(logits, mask).item() == pytest.approx(0)


# One logit for two classes


def test_binary_cross_entropy_by_hand() -> None:
    # Probabilities 3/4 and 1/4 of the foreground.
    logits = torch.tensor([math.log(3), -math.log(3), 0.0]).view(1, 1, 1, 3)
    mask = torch.tensor([[[1, 1, IGNORE_INDEX]]])
    assert SegmentationLoss()(logits, mask).item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 4)) / 2)


def test_binary_dice_looks_at_the_foreground_alone() -> None:
    logits = 1000.0 * torch.tensor([1.0, 1.0, -1.0, -1.0]).view(1, 1, 1, 4)
    # 1 pixel shared, 2 predicted, 1 true.
    assert dice_loss(logits, torch.tensor([[[1, 0, 0, 0]]])).item() == pytest.approx(1 - 3 / 4)
    # A false alarm on an empty mask costs.
    assert dice_loss(logits, torch.tensor([[[0, 0, 0, 0]]])).item() == pytest.approx(1 - 1 / 3)
    assert dice_loss(-logits.abs(), torch.tensor([[[0, 0, 0, 0]]])).item() == 0


def test_binary_loss_is_that_of_two_logits_of_which_one_is_zero() -> None:
    logits, mask = torch.randn(3, 1, 4, 5), torch.randint(0, 2, (3, 4, 5))
    mask[0, 0] = IGNORE_INDEX
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    for smoothing in (0.0, 0.2):
        loss = SegmentationLoss(label_smoothing=smoothing)
        assert loss(logits, mask).item() == pytest.approx(loss(two, mask).item(), rel=1e-5)


# Class weights


@pytest.mark.parametrize("num_logits", [1, 2])
def test_class_weights_by_hand(num_logits: int) -> None:
    foreground = torch.tensor([math.log(3), math.log(3), -math.log(3)])
    logits = torch.stack([torch.zeros(3), foreground] if num_logits == 2 else [foreground]).view(1, num_logits, 1, 3)
    mask = torch.tensor([[[1, 0, 0]]])
    # Probabilities of the truth: 3/4, 1/4, 3/4; the foreground counts five times, the background twice.
    expected = -(5 * math.log(3 / 4) + 2 * math.log(1 / 4) + 2 * math.log(3 / 4)) / (5 + 2 + 2)
    assert SegmentationLoss(class_weights=[2.0, 5.0])(logits, mask).item() == pytest.approx(expected)


def test_class_weights_need_cross_entropy() -> None:
    with pytest.raises(ConfigError, match="weigh cross-entropy; give ce_weight above 0"):
        SegmentationLoss(0.0, 1.0, class_weights=[1.0, 2.0])


# Further losses


def test_tversky_and_jaccard_by_hand() -> None:
    # Foreground: 1 shared, 2 false alarms, 1 missed, and the background of 1 right pixel.
    logits = 1000.0 * torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0]).view(1, 1, 1, 5)
    mask = torch.tensor([[[1, 0, 0, 1, 0]]])
    jaccard = SegmentationLoss(0.0, extra_losses={"jaccard": 1.0})(logits, mask)
    tversky = SegmentationLoss(0.0, extra_losses={"tversky": {"alpha": 0.5, "beta": 3.0, "smooth": 0.0}})(logits, mask)
    assert jaccard.item() == pytest.approx(1 - (1 + 1) / (4 + 1))
    assert tversky.item() == pytest.approx(1 - 1 / (1 + 0.5 * 2 + 3 * 1))


def test_dice_is_tversky_of_equal_costs() -> None:
    logits, mask = random_batch()
    tversky = SegmentationLoss(0.0, extra_losses={"tversky": {"alpha": 0.5, "beta": 0.5, "smooth": 0.5}})
    assert tversky(logits, mask).item() == pytest.approx(dice_loss(logits, mask).item())


def test_focal_by_hand() -> None:
    logits = torch.tensor([math.log(3), -math.log(3)]).view(1, 1, 1, 2)
    # The probabilities of the truth are 3/4 and 1/4; each pixel counts by the square of what is missing.
    expected = -((1 / 4) ** 2 * math.log(3 / 4) + (3 / 4) ** 2 * math.log(1 / 4)) / 2
    loss = SegmentationLoss(0.0, extra_losses={"focal": {"gamma": 2.0}})
    assert loss(logits, torch.tensor([[[1, 1]]])).item() == pytest.approx(expected, rel=1e-5)


def test_lovasz_of_certain_logits_is_one_minus_jaccard() -> None:
    # Class 0: 1 of 2 pixels; class 1: 2 of 3.
    logits, mask = certain([[0, 1], [1, 1]]), torch.tensor([[[0, 0], [1, 1]]])
    loss = SegmentationLoss(0.0, extra_losses={"lovasz": 1.0})
    assert loss(logits, mask).item() == pytest.approx(1 - (1 / 2 + 2 / 3) / 2)


LOSSES: list[dict[str, Any]] = [{}, {"ce_weight": 0.0, "dice_weight": 1.0}]
LOSSES += [{"ce_weight": 0.0, "extra_losses": {name: 1.0}} for name in ("focal", "jaccard", "lovasz", "tversky")]


@pytest.mark.parametrize("options", LOSSES, ids=str)
@pytest.mark.parametrize("num_logits", [1, 3])
def test_what_is_ignored_has_exactly_no_gradient(num_logits: int, options: dict[str, Any]) -> None:
    logits, mask = random_batch()
    logits = logits.detach()[:, :num_logits].requires_grad_()
    mask = mask.clamp(max=max(1, num_logits - 1)).where(mask != IGNORE_INDEX, IGNORE_INDEX)
    mask[3] = IGNORE_INDEX

    loss = SegmentationLoss(**options)(logits, mask)
    loss.backward()

    assert logits.grad is not None
    steepest = logits.grad.abs().amax(dim=1)
    assert torch.isfinite(loss)
    assert (steepest[mask == IGNORE_INDEX] == 0).all()
    assert (steepest[mask != IGNORE_INDEX] > 0).float().mean() > 0.5


@pytest.mark.parametrize("options", LOSSES, ids=str)
@pytest.mark.parametrize("num_logits", [1, 3])
def test_a_batch_without_counted_pixels_costs_nothing(num_logits: int, options: dict[str, Any]) -> None:
    logits = torch.randn(2, num_logits, 3, 3, requires_grad=True)
    loss = SegmentationLoss(**options)(logits, torch.full((2, 3, 3), IGNORE_INDEX))
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize("options", LOSSES, ids=str)
@pytest.mark.parametrize("num_logits", [1, 3])
def test_mixed_loss_of_pictures_alone_is_the_weighted_sum(num_logits: int, options: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, num_logits, 4, 4, generator=generator)
    mask, mask_b = torch.randint(0, max(2, num_logits), (2, 2, 4, 4), generator=generator)
    loss = SegmentationLoss(**options)
    lam = torch.tensor([0.3, 1.0])

    singles = [
        lam[i] * loss(logits[i : i + 1], mask[i : i + 1]) + (1 - lam[i]) * loss(logits[i : i + 1], mask_b[i : i + 1])
        for i in range(2)
    ]

    assert loss(logits, mask, mask_b, lam).item() == pytest.approx((sum(singles) / 2).item(), rel=1e-5)
    assert loss(logits, mask, mask, torch.ones(2)).item() == pytest.approx(loss(logits, mask).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra_losses": {"lovas": 1.0}}, "there is no 'lovas'; did you mean 'lovasz'"),
        ({"extra_losses": {"focal": {"gama": 1.0}}}, "focal has no option 'gama'; there are weight, gamma, alpha"),
        ({"ce_weight": 0.0}, "all losses have the weight 0"),
    ],
)
def test_losses_that_do_not_exist(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SegmentationLoss(**options)
