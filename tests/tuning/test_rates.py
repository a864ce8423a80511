"""A rate that grows from step to step: what is noted, and what follows, on cases whose answer is known."""

from contextlib import suppress
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.tuner.tuning import Tuner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_seg.errors import ConfigError
from lightning_seg.tuning import RateSweep, Sweep

CURVATURE = 20.0
"""Of the loss ``CURVATURE / 2 * w ** 2``: each step of SGD multiplies w by ``1 - rate * CURVATURE``, which makes the
loss smaller with rates below ``2 / CURVATURE`` and larger with any above it.
"""
START = 3.0


class Quadratic(pl.LightningModule):
    def __init__(self, lr: float = 0.5, **group: Any) -> None:
        super().__init__()
        self.save_hyperparameters("lr")
        self.weight, self.other = nn.Parameter(torch.tensor(START)), nn.Parameter(torch.tensor(0.0))
        self.group = group
        self.rates: list[list[float]] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        (optimizer,) = self.trainer.optimizers
        self.rates.append([group["lr"] for group in optimizer.param_groups])
        return CURVATURE / 2 * self.weight.square() + 0 * self.other

    def configure_optimizers(self) -> Any:
        lr: float = self.hparams["lr"]
        groups: list[dict[str, Any]] = [{"params": [self.weight]}, {"params": [self.other], "lr": lr * 0.1}]
        optimizer = torch.optim.SGD(groups, lr=lr)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def swept(module: pl.LightningModule, callback: RateSweep, steps: int, **options: Any) -> Sweep:
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=-1,
        max_steps=steps + 1,
        callbacks=[callback],
        **options,
    )
    trainer.fit(module, DataLoader([0.0] * 8))  # type: ignore[arg-type]
    return callback.sweep


def by_hand(rates: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The loss after each step."""
    weights: np.ndarray[Any, Any] = START * np.cumprod(1 - CURVATURE * rates)
    return CURVATURE / 2 * weights**2


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_loss_of_a_parabola_rises_from_its_critical_rate_on(accumulated: int) -> None:
    sweep = swept(Quadratic(), RateSweep(1e-4, 1.0, 100), 100, accumulate_grad_batches=accumulated)
    planned = np.geomspace(1e-4, 1.0, 100)
    number = len(sweep.rates)
    assert sweep.rates == pytest.approx(planned[:number])
    expected = by_hand(planned)[:number]
    assert sweep.losses == pytest.approx(expected, rel=1e-3, abs=1e-6)
    # The last rate below 2 / CURVATURE has the lowest loss.
    first_above = int((planned > 2 / CURVATURE).argmax())
    assert sweep.losses.argmin() == first_above - 1
    # Smoothed over less than a decade.
    assert sweep.rates[sweep.lowest] == pytest.approx(2 / CURVATURE, rel=0.5)
    # It has run away, which no further step could change.
    assert number < 100


def test_the_suggestion_is_where_the_known_loss_falls_fastest() -> None:
    sweep = swept(Quadratic(), RateSweep(1e-4, 1.0, 100), 100)
    planned = np.geomspace(1e-4, 1.0, 1000)
    # The same curve in finer steps, each of which does a tenth: d loss / d log(rate), by differences.
    weights = START * np.cumprod((1 - CURVATURE * planned[planned < 1 / CURVATURE]) ** 0.1)
    slopes = np.diff(CURVATURE / 2 * weights**2)
    known = planned[int(slopes.argmin())]
    assert sweep.suggestion == pytest.approx(known, rel=0.25)
    assert sweep.suggestion < 2 / CURVATURE / 4


@pytest.mark.parametrize("middle", [-4.0, -2.5])
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_suggestion_on_a_given_curve(middle: float, noise: float) -> None:
    # A logistic step of height 1 over log10(rate): steepest in its middle, whatever its width.
    exponents = np.linspace(-6, 1, 141)
    losses = 2 - 1 / (1 + np.exp(-(exponents - middle) / 0.3))
    # It rises again from 10 ** 0 on.
    losses += 3 * np.maximum(exponents, 0)
    losses += noise * np.random.default_rng(0).standard_normal(141)
    sweep = Sweep(list(10**exponents), list(losses))
    assert log(sweep.suggestion, 10) == pytest.approx(middle, abs=0.051 if noise == 0 else 0.4)


def test_what_has_run_away_is_no_part_of_it() -> None:
    exponents = np.linspace(-6, 1, 141)
    losses = 2 - 1 / (1 + np.exp(-(exponents + 3) / 0.3))
    wild = np.where(exponents > -1, 1e30, losses)
    wild[-3:] = float("nan")
    sweep = Sweep(list(10**exponents), list(wild))
    assert len(sweep.rates) == 138
    assert log(sweep.suggestion, 10) == pytest.approx(-3, abs=0.051)
    assert sweep.smoothed.max() < 2.1


@pytest.mark.parametrize("steps", [20, 40, 100])
def test_a_harder_first_batch_is_no_fall(steps: int) -> None:
    exponents = np.linspace(-6, 1, steps)
    losses = np.where(np.arange(steps) == 0, 2.5, 2.0)
    with pytest.raises(ConfigError, match="falls nowhere"):
        _ = Sweep(list(10**exponents), list(losses)).suggestion
    losses = losses - 1 / (1 + np.exp(-(exponents + 3) / 0.3)) + 3 * np.maximum(exponents, 0)
    # Between the steps around the middle of the logistic step.
    assert log(Sweep(list(10**exponents), list(losses)).suggestion, 10) == pytest.approx(-3, abs=7 / (steps - 1))


@pytest.mark.parametrize("steps", [20, 40, 100])
def test_a_fall_that_begins_below_the_lowest_rate_asks_for_lower_ones(steps: int) -> None:
    exponents = np.linspace(-6, 1, steps)
    losses = 2 - 1 / (1 + np.exp(-(exponents + 6) / 0.4)) + 3 * np.maximum(exponents, 0)
    with pytest.raises(ConfigError, match=r"lowest rates of 1e-06 to 10, .* give a lower --min_lr, or more --steps"):
        _ = Sweep(list(10**exponents), list(losses)).suggestion


@pytest.mark.parametrize("steps", [20, 40, 100])
def test_noise_is_hardly_ever_a_fall(steps: int) -> None:
    rates = list(np.geomspace(1e-6, 10, steps))
    found = 0
    for seed in range(100):
        with suppress(ConfigError):
            found += Sweep(rates, list(np.random.default_rng(seed).normal(2, 0.1, steps))).suggestion > 0
    assert found <= 20


def test_groups_keep_their_ratios_and_schedules_have_no_say() -> None:
    module = Quadratic()
    swept(module, RateSweep(1e-4, 1e-2, 20), 20)
    planned = np.geomspace(1e-4, 1e-2, 20)
    assert np.array(module.rates)[:20] == pytest.approx(np.stack([planned, planned / 10], axis=1))


@pytest.mark.parametrize(
    ("rates", "losses", "message"),
    [
        (np.geomspace(1e-6, 1, 30), np.linspace(1, 2, 30), "the loss falls nowhere with rates of 1e-06 to 1 by"),
        (np.geomspace(1e-6, 1, 90), np.random.default_rng(0).normal(1, 0.1, 90), "the loss falls nowhere"),
        (np.geomspace(1e-6, 1, 30), [1.0] * 4 + [float("nan")] * 26, "a number for 4 steps alone"),
        ([], [], r"a number for 0 steps alone \(rates none\)"),
    ],
)
def test_where_nothing_can_be_suggested_a_line_says_why(rates: Any, losses: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _ = Sweep(list(rates), list(losses)).suggestion


def test_why_it_is_not_lightnings(tmp_path: Path) -> None:
    """Once this fails, Lightning keeps the ratios of groups: look whether its own finder will do."""
    module = Quadratic()
    trainer = pl.Trainer(
        default_root_dir=tmp_path, accelerator="cpu", logger=False, max_epochs=1, enable_model_summary=False
    )
    loader: Any = DataLoader([0.0] * 200)  # type: ignore[arg-type]
    search: dict[str, Any] = {"min_lr": 1e-4, "max_lr": 1.0, "num_training": 100, "update_attr": False}
    found = Tuner(trainer).lr_find(module, loader, **search)
    assert found is not None
    assert all(rates[0] == rates[1] for rates in module.rates)
