from math import isnan, nan

import pytest
import torch

from lightning_seg.metrics import MeanLoss


def test_the_mean_is_over_the_pictures_that_count() -> None:
    mean = MeanLoss()
    mean.update(torch.tensor(2.0), 3)
    mean.update(torch.tensor(6.0), torch.tensor(1))
    # Nothing of this batch counts.
    mean.update(torch.tensor(0.0), torch.tensor(0))

    assert mean.compute().item() == pytest.approx((3 * 2 + 6) / 4)


def test_the_mean_over_none_is_no_number() -> None:
    mean = MeanLoss()
    mean.update(torch.tensor(0.0), torch.tensor(0))

    assert isnan(mean.compute().item())


def test_a_loss_that_is_no_number_stays_visible() -> None:
    mean = MeanLoss()
    mean.update(torch.tensor(nan), 2)
    mean.update(torch.tensor(1.0), 2)

    assert isnan(mean.compute().item())
