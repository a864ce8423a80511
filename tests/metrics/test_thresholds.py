from math import isnan

import pytest
import torch
from torchmetrics.classification import BinaryPrecisionRecallCurve

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.thresholds import ThresholdCounts

PROBS = torch.tensor([[[0.9, 0.7, 0.4, 0.2, 0.7]]])
MASK = torch.tensor([[[1, 0, 1, 0, IGNORE_INDEX]]])
BOTH = torch.tensor([[[0, 1]]])


def test_by_hand() -> None:
    counts = ThresholdCounts(num_thresholds=10)
    counts.update(MASK, MASK, PROBS + 0.01)
    curves = counts.by_threshold()
    # From 0: all 4 are called foreground, from 0.3: 3 of which 2 are right, from 0.5: 2 of which 1, from 0.8: 1 of 1.
    assert curves.precision.tolist() == pytest.approx([2 / 4] * 3 + [2 / 3] * 2 + [1 / 2] * 3 + [1 / 1] * 2)
    assert curves.recall.tolist() == pytest.approx([1.0] * 5 + [0.5] * 5)
    # Dice is 4/5 from 0.3 to 0.4, and 2/3 or less elsewhere.
    assert curves.best_threshold == pytest.approx(0.4)
    assert curves.average_precision == pytest.approx((1 - 0.5) * 2 / 3 + 0.5 * 1)

    assert counts.take(()) == pytest.approx({"average_precision": 5 / 6, "best_threshold": 0.4})
    assert counts.curves is not None
    assert counts.curves.recall.tolist() == curves.recall.tolist()


def test_without_a_probability_no_threshold_is_known() -> None:
    counts = ThresholdCounts(num_thresholds=4)
    counts.update(BOTH, BOTH, torch.tensor([[[0.2, 0.8]]]))
    assert counts.take(()) == {"average_precision": 1, "best_threshold": 0.5}
    counts.update(BOTH, BOTH)
    assert [isnan(value) for value in counts.take(()).values()] == [True, True]
    assert counts.curves is None


def test_values_are_those_of_torchmetrics() -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(4, 20, 30, generator=generator)
    mask = (torch.rand(4, 20, 30, generator=generator) < probs).long()
    mask[:, 3] = IGNORE_INDEX
    counts = ThresholdCounts(num_thresholds=8)
    for part in range(4):
        counts.update(mask[part : part + 1], mask[part : part + 1], probs[part : part + 1])
    curves = counts.by_threshold()
    # Theirs lie between 0 and 1 with both ends.
    reference = BinaryPrecisionRecallCurve((torch.arange(8) / 8).tolist(), ignore_index=IGNORE_INDEX)
    precision, recall, _ = reference(probs, mask)
    torch.testing.assert_close(curves.precision.float(), precision[:-1])
    torch.testing.assert_close(curves.recall.float(), recall[:-1])


def test_threshold_that_nothing_reaches_has_precision_one() -> None:
    counts = ThresholdCounts(num_thresholds=4)
    counts.update(BOTH, BOTH, torch.full((1, 1, 2), 0.1))
    curves = counts.by_threshold()
    assert curves.precision.tolist() == [0.5, 1, 1, 1]
    assert curves.recall.tolist() == [1, 0, 0, 0]


def test_certain_probabilities_stay_in_range() -> None:
    counts = ThresholdCounts(num_thresholds=4)
    counts.update(BOTH, BOTH, torch.tensor([[[0.0, 1.0]]]))
    assert counts.by_threshold().precision.tolist() == [0.5, 1, 1, 1]
