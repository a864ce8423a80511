import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.batch import IGNORE_INDEX
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
    assert SegmentationLoss(label_smoothing=0.2)(logits, mask).item() == pytest.approx(expected)


def test_ignore_index_can_be_another_number() -> None:
    logits, mask = certain([[0, 1], [1, 1]]), torch.tensor([[[0, 1], [1, 7]]])
    assert SegmentationLoss(1.0, 1.0, ignore_index=7)(logits, mask).item() == pytest.approx(0)
