"""Expected calibration error: by hand, against torchmetrics, and what chance makes of it."""

import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from lightning_seg.metrics.calibration import (
    Calibration,
    as_rows,
    calibration_error,
    count_answers,
    error_by_chance,
    no_answers,
    overconfidence,
    together,
)


def two_classes(confidence: list[float]) -> torch.Tensor:
    """Answers 1 of these probabilities."""
    likely = torch.tensor(confidence)
    return torch.stack([1 - likely, likely], dim=1)


def test_the_error_is_that_computed_by_hand() -> None:
    # Five bins: two answers of 0.9 of which one is right, three of 0.7 of which all are.
    probs, truth = two_classes([0.9, 0.9, 0.7, 0.7, 0.7]), torch.tensor([1, 0, 1, 1, 1])
    counts = count_answers(probs, truth, bins=5)
    assert counts.answers.tolist() == [0, 0, 0, 3, 2]
    assert counts.right.tolist() == [0, 0, 0, 3, 1]
    assert calibration_error(counts) == pytest.approx(2 / 5 * 0.4 + 3 / 5 * 0.3)
    assert overconfidence(counts) == pytest.approx(3.9 / 5 - 4 / 5, abs=1e-6)
    assert as_rows(counts) == [
        {"up_to": 0.8, "answers": 3, "confidence": pytest.approx(0.7), "accuracy": 1.0},
        {"up_to": 1.0, "answers": 2, "confidence": pytest.approx(0.9), "accuracy": 0.5},
    ]


def test_an_answer_of_certainty_is_in_the_last_bin_and_one_on_an_edge_below_it() -> None:
    counts = count_answers(two_classes([1.0, 0.75]), torch.tensor([1, 1]), bins=4)
    assert counts.answers.tolist() == [0, 0, 1, 1]


def test_pixels_count_each_but_for_ignored_ones() -> None:
    probs = two_classes([0.9, 0.8, 0.7, 0.6]).T.reshape(1, 2, 2, 2)
    mask = torch.tensor([[[1, 1], [255, 0]]])
    counts = count_answers(probs, mask, mask != 255)
    assert counts.answers.sum() == 3
    assert counts.right.sum() == 2
    assert counts.confidence.sum() == pytest.approx(0.9 + 0.8 + 0.6)


def test_batches_add_up_to_what_torchmetrics_makes_of_all() -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.randn(300, 7, generator=generator).mul(2).softmax(dim=1)
    truth = torch.randint(7, (300,), generator=generator)
    counts = no_answers()
    for start in range(0, 300, 64):
        counts = together(counts, count_answers(probs[start : start + 64], truth[start : start + 64]))
    reference = MulticlassCalibrationError(7, n_bins=15, norm="l1")(probs, truth)
    assert calibration_error(counts) == pytest.approx(reference.item(), abs=1e-6)


@pytest.mark.parametrize("samples", [40, 400])
def test_the_error_by_chance_is_that_of_perfect_networks(samples: int) -> None:
    generator = torch.Generator().manual_seed(1)
    measured, expected = [], []
    for _ in range(100):
        confidence = 0.5 + 0.5 * torch.rand(samples, generator=generator)
        truth = (torch.rand(samples, generator=generator) < confidence).long()
        counts = count_answers(two_classes(confidence.tolist()), truth)
        measured.append(calibration_error(counts))
        expected.append(error_by_chance(counts, samples))
    assert sum(expected) == pytest.approx(sum(measured), rel=0.15)


def test_pixels_of_one_picture_are_one_sample() -> None:
    counts = count_answers(torch.full((1, 2, 50, 50), 0.5), torch.zeros(1, 50, 50, dtype=torch.int64))
    assert error_by_chance(counts, 1) == pytest.approx(50 * error_by_chance(counts, 2500))


def test_the_metric_of_a_split_is_that_computed_by_hand() -> None:
    # 15 bins: 0.9 is in the 14th, 0.7 in the 11th; half of the first and all of the second are right.
    part = Calibration(ignore_index=255)
    assert part.values(()) == {"ece": None}
    assert part.take(()) == {}
    part.update(None, torch.tensor([1, 0, 255]), log_probs=two_classes([0.9, 0.9, 0.9]).log())
    part.update(None, torch.tensor([1, 1]), log_probs=two_classes([0.7, 0.7]).log())
    # What is told of no probabilities is no answer.
    part.update(None, torch.tensor([1, 1]))
    assert part.compute() == {"ece": pytest.approx(2 / 4 * 0.4 + 2 / 4 * 0.3)}
    assert part.reliability is not None
    assert part.reliability.answers.tolist() == [0] * 10 + [2, 0, 0, 2, 0]
    assert not part.higher_is_better
    assert part.unit == "pixels"
    assert part.take(()) == {"ece": pytest.approx(0.35)}
    assert part.take(()) == {}


def test_shares_are_compared_with_the_larger_one() -> None:
    part = Calibration()
    part.update(None, torch.tensor([[0.4, 0.6], [0.6, 0.4]]), log_probs=two_classes([0.8, 0.8]).log())
    assert part.compute() == {"ece": pytest.approx(0.3)}
    assert part.unit == "pictures"
