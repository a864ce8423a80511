import pytest
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassJaccardIndex

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics import SegmentationMetrics, summarize
from lightning_seg.metrics.parts import present

NAMES = ("pet", "background", "border")
# Of 3 pet pixels 2 are found, of 4 background pixels 3; no border pixel exists, one is predicted.
MASK = torch.tensor([[[0, 0, 0, 1, 1, 1, 1]]])
PREDICTION = torch.tensor([[[0, 0, 1, 1, 1, 1, 2]]])
VALUES = {
    "accuracy": 5 / 7,
    "miou": (2 / 3 + 3 / 5 + 0) / 3,
    "mdice": (4 / 5 + 6 / 8 + 0) / 3,
    "iou/pet": 2 / 3,
    "iou/background": 3 / 5,
    "iou/border": 0.0,
    "dice/pet": 4 / 5,
    "dice/background": 6 / 8,
    "dice/border": 0.0,
}


def matrix_of(*batches: tuple[Tensor, Tensor], num_classes: int = 3) -> Tensor:
    """The confusion matrix after batches of (prediction, mask)."""
    metrics = SegmentationMetrics(num_classes)
    for prediction, mask in batches:
        metrics.update(prediction, mask)
    metrics.compute(NAMES[:num_classes])
    assert metrics.pairs is not None
    return metrics.pairs


@pytest.fixture
def random_pair() -> tuple[Tensor, Tensor]:
    """Predictions and masks of 12 pictures, right in about half of the pixels; some are ignored."""
    generator = torch.Generator().manual_seed(0)
    mask = torch.randint(0, 3, (12, 8, 10), generator=generator)
    guess = torch.randint(0, 3, mask.shape, generator=generator)
    prediction = torch.where(torch.rand(mask.shape, generator=generator) < 0.3, mask, guess)
    mask[torch.rand(mask.shape, generator=generator) < 0.1] = IGNORE_INDEX
    return prediction, mask


def test_confusion_matrix_by_hand() -> None:
    assert matrix_of((PREDICTION, MASK)).tolist() == [[2, 1, 0], [0, 3, 1], [0, 0, 0]]


def test_every_value_by_hand() -> None:
    assert summarize(torch.tensor([[2, 1, 0], [0, 3, 1], [0, 0, 0]]), NAMES) == pytest.approx(VALUES)


def test_class_that_is_neither_true_nor_predicted_is_left_out() -> None:
    matrix = torch.tensor([[2, 0, 1, 0], [0, 0, 0, 0], [0, 0, 3, 1], [0, 0, 0, 0]])
    values = summarize(matrix, ("pet", "absent", "background", "border"))
    assert values == pytest.approx({**VALUES, "iou/absent": None, "dice/absent": None})
    assert present(values) == pytest.approx(VALUES)


def test_ignored_pixels_are_not_counted() -> None:
    ignored = torch.full((1, 1, 3), IGNORE_INDEX)
    prediction = torch.cat([PREDICTION, torch.tensor([[[0, 1, 2]]])], dim=2)

    matrix = matrix_of((prediction, torch.cat([MASK, ignored], dim=2)))

    assert summarize(matrix, NAMES) == pytest.approx(VALUES)


def test_values_are_those_of_torchmetrics(random_pair: tuple[Tensor, Tensor]) -> None:
    prediction, mask = random_pair

    values = summarize(matrix_of(random_pair), NAMES)

    accuracy = MulticlassAccuracy(3, average="micro", ignore_index=IGNORE_INDEX)(prediction, mask)
    iou = MulticlassJaccardIndex(3, average="none", ignore_index=IGNORE_INDEX)(prediction, mask)
    dice = MulticlassF1Score(3, average="none", ignore_index=IGNORE_INDEX)(prediction, mask)
    assert values["accuracy"] == pytest.approx(accuracy.item())
    assert [values[f"iou/{name}"] for name in NAMES] == pytest.approx(iou.tolist())
    assert [values[f"dice/{name}"] for name in NAMES] == pytest.approx(dice.tolist())
    assert values["miou"] == pytest.approx(iou.mean().item())
    assert values["mdice"] == pytest.approx(dice.mean().item())


def test_partial_batches_count_by_their_pixels(random_pair: tuple[Tensor, Tensor]) -> None:
    prediction, mask = random_pair
    counted = mask != IGNORE_INDEX
    expected = torch.bincount(mask[counted] * 3 + prediction[counted], minlength=9).view(3, 3)

    batches = [(prediction[i : i + 5], mask[i : i + 5]) for i in (0, 5, 10)]

    assert [len(part) for part, _ in batches] == [5, 5, 2]
    assert torch.equal(matrix_of(*batches), expected)


def test_reset_forgets_the_split_before() -> None:
    metrics = SegmentationMetrics(3)
    metrics.update(1 - PREDICTION.clamp(max=1), MASK)
    metrics.reset()
    metrics.update(PREDICTION, MASK)
    assert metrics.take(NAMES) == pytest.approx(VALUES)


def test_thousands_of_large_pictures_are_counted_exactly() -> None:
    # Beyond 2 ** 24, where single precision skips every second number.
    matrix = torch.tensor([[2**30 + 1, 1], [1, 2**30 + 1]])
    assert 1 - present(summarize(matrix, ("pet", "background")))["accuracy"] == pytest.approx(1 / (2**30 + 2), rel=1e-3)
