from math import isnan, nan

import pytest
import torch
from torch import Tensor

from lightning_seg.metrics import MeanLoss


def summed(total: float, weight: float) -> tuple[Tensor, Tensor]:
    return torch.tensor(total), torch.tensor(weight)


def test_the_mean_is_of_sums_and_weights_and_not_of_batches() -> None:
    mean = MeanLoss()
    mean.update(*summed(6.0, 3.0), 3, 3)
    mean.update(*summed(6.0, 1.0), 1, torch.tensor(1))
    # Nothing of this batch counts.
    mean.update(*summed(0.0, 0.0), 1, torch.tensor(0))
    # By hand: (6 + 6) / (3 + 1). The mean of 2, 6 and 0 would be another.
    assert mean.compute() == pytest.approx(3.0)


def value_of(mean: MeanLoss) -> float:
    value = mean.compute()
    assert value is not None
    return value


def test_the_mean_over_pictures_of_which_none_counts_is_no_number() -> None:
    mean = MeanLoss()
    # A loss of whole pictures has a weight all the same.
    mean.update(*summed(0.0, 2.0), 2, torch.tensor(0))
    assert isnan(value_of(mean))


def test_without_pictures_there_is_no_mean() -> None:
    assert MeanLoss().compute() is None


def test_pictures_of_classes_without_weight_cost_nothing() -> None:
    mean = MeanLoss()
    mean.update(*summed(0.0, 0.0), 2, 2)
    assert mean.compute() == 0.0


def test_a_loss_that_is_no_number_stays_visible() -> None:
    mean = MeanLoss()
    mean.update(*summed(nan, 1.0), 2, 2)
    mean.update(*summed(1.0, 1.0), 2, 2)
    assert isnan(value_of(mean))
