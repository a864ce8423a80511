"""The range test of learning rates: a rate that grows from step to step, and what the loss makes of it.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017.
"""

from collections.abc import Sequence
from functools import cached_property
from math import ceil, isfinite
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray
from torch import Tensor

from lightning_seg.errors import ConfigError

Numbers = NDArray[np.float64]
WIDTH = 1 / 33
"""Standard deviation of the smoothing, as a share of the steps: with 100 steps over 7 decades a fifth of a decade."""
DIVERGED = 4.0
"""A smoothed loss of this many times the lowest one ends the sweep."""
MEMORY = 0.8
"""Share of what was before in the running mean that decides it."""
CERTAIN = 3.5
"""A fall of this many standard deviations of the smoothed loss is one."""
ROUNDING = 1e-4
"""Share of a loss that is no difference."""
LEAST = 10
"""Steps that a suggestion needs."""


class Sweep:
    """What a sweep has found. Its rates grow by a constant factor.

    Args:
        rates: of the steps.
        losses: each of the batch after the step, as many as rates; they end where one is no number.
    """

    def __init__(self, rates: Sequence[float], losses: Sequence[float]) -> None:
        number = next((place for place, loss in enumerate(losses) if not isfinite(loss)), len(losses))
        self.rates: Numbers = np.asarray(rates[:number], dtype=np.float64)
        self.losses: Numbers = np.asarray(losses[:number], dtype=np.float64)

    @cached_property
    def smoothed(self) -> Numbers:
        """The losses without the noise of single batches: a mean around each, which lags behind nothing."""
        steps = np.arange(len(self.losses))
        # A loss that has run away would be seen long before it does.
        losses = np.minimum(self.losses, self.losses[: self.losses.argmin() + 1].max())
        weights = np.exp(-0.5 * ((steps[:, None] - steps) / self._width) ** 2)
        means: Numbers = weights @ losses / weights.sum(axis=1)
        return means

    @property
    def _width(self) -> float:
        """Steps of a standard deviation of the smoothing."""
        return max(1.0, WIDTH * len(self.losses))

    @property
    def _noise(self) -> float:
        """Standard deviation of the smoothed loss, by how far single ones lie from it."""
        before = slice(self.lowest + 1)
        apart = self.losses[before] - self.smoothed[before]
        # So many losses make a mean of the kernel, which each of them draws towards itself.
        together = 2 * np.sqrt(np.pi) * self._width
        left = 1 - np.sqrt(2 / np.pi) / self._width + 1 / together
        return float(np.sqrt(np.mean(apart**2) / left / together)) + ROUNDING * abs(float(self.smoothed[self.lowest]))

    @property
    def lowest(self) -> int:
        """The step with the lowest smoothed loss; with larger rates it rises."""
        return int(self.smoothed.argmin())

    @property
    def steepest(self) -> int:
        """The step at which the loss falls fastest over the logarithm of the rate.

        Raises:
            ConfigError: if it falls nowhere, or fastest at the edge, or there are too few steps.
        """
        span = f"{self.rates[0]:.2g} to {self.rates[-1]:.2g}" if len(self.rates) else "none"
        if len(self.rates) < LEAST:
            raise ConfigError(
                f"the loss is a number for {len(self.rates)} steps alone (rates {span}), and {LEAST} are needed; give "
                "a lower --min_lr, or more --steps"
            )
        # A mean at the edge hangs on few losses, and the first batches are no harder for their rate.
        first = ceil(2 * self._width)
        start = float(self.losses[:first].mean())
        if min(start, float(self.smoothed[first])) - self.smoothed[self.lowest] <= CERTAIN * self._noise:
            raise ConfigError(
                f"the loss falls nowhere with rates of {span} by more than it differs between batches; give other "
                "--min_lr and --max_lr, or more --steps"
            )
        slopes = np.gradient(self.smoothed, np.log(self.rates))[first : max(first, self.lowest) + 1]
        steepest = int(slopes.argmin())
        if steepest == 0:
            raise ConfigError(
                f"the loss falls fastest at the lowest rates of {span}, so it may fall faster below them; give a lower "
                "--min_lr, or more --steps"
            )
        return first + steepest

    @property
    def suggestion(self) -> float:
        """The rate at ``steepest``."""
        return float(self.rates[self.steepest])


class RateSweep(pl.Callback):
    """Lets every step have a larger rate, and notes the loss of the batch after it.

    Groups of weights keep the ratios of their rates, and the schedule of the task has no say. Lightning's own finder
    (2.6) gives all groups the same rate, pairs a rate with the loss before its step, smooths over the last 50 steps,
    and takes the slope over the rate instead of its logarithm, which is steepest where rates are smallest.

    Args:
        min_lr: of the first step.
        max_lr: of the last one.
        steps: their number; a further one measures what the last one has done.
    """

    drives_the_loss_up = True
    """Says to a watched module that this is no training."""

    def __init__(self, min_lr: float, max_lr: float, steps: int) -> None:
        self.planned: list[float] = np.geomspace(min_lr, max_lr, steps).tolist()
        self.losses: list[float] = []
        self.ratios: list[list[float]] = []
        self._batches: list[Tensor] = []
        self._steps_done, self._mean, self._lowest = 0, 0.0, float("inf")

    @property
    def sweep(self) -> Sweep:
        """What was found."""
        losses = self.losses[1:]
        return Sweep(self.planned[: len(losses)], losses)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        groups = [[group.get("initial_lr", group["lr"]) for group in one.param_groups] for one in trainer.optimizers]
        whole = pl_module.hparams.get("lr") or max(max(rates) for rates in groups)
        self.ratios = [[rate / whole for rate in rates] for rates in groups]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        rate = self.planned[min(self._steps_done, len(self.planned) - 1)]
        for optimizer, ratios in zip(trainer.optimizers, self.ratios, strict=True):
            for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
                group["lr"] = rate * ratio

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
        if loss is not None:
            # As the step has returned it, before it was divided.
            self._batches.append(loss.detach().float() * trainer.accumulate_grad_batches)
        if trainer.global_step == self._steps_done:
            return
        self._steps_done = trainer.global_step
        if not self._batches:
            raise ConfigError(
                f"training_step of {type(pl_module).__name__} returns no loss; no rate can be found for it"
            )
        self._note(sum(batch_loss.item() for batch_loss in self._batches) / len(self._batches))
        self._batches = []
        trainer.should_stop = self._has_diverged()

    def _note(self, loss: float) -> None:
        self.losses.append(loss)
        self._mean = MEMORY * self._mean + (1 - MEMORY) * loss
        self._lowest = min(self._lowest, self._smoothed())

    def _smoothed(self) -> float:
        return self._mean / (1 - MEMORY ** len(self.losses))

    def _has_diverged(self) -> bool:
        newest = self._smoothed()
        return not isfinite(newest) or newest > DIVERGED * self._lowest > 0
