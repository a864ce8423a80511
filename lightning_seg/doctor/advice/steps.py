"""Pictures per second through a network in training, on the device of its config."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import pytorch_lightning as pl
import torch

SECONDS = 5.0
"""After which no further step is begun."""
FEW, WARM = 2, 2
"""Pictures of the first steps, after which it is known how many fit into the time; steps that do not count."""


class _Clock(pl.Callback):
    """Pictures and seconds of each step, the optimiser's included."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, float]] = []
        self.start = 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.start = _now(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps.append((_length(batch), _now(trainer) - self.start))

    def rate(self) -> float:
        """Pictures per second of the largest steps, the first of them left out if there are others."""
        most = max(pictures for pictures, _ in self.steps)
        seconds = [taken for pictures, taken in self.steps if pictures == most]
        return most / median(seconds[1:] or seconds)


class _Batches:
    """A few pictures, then as many of the batch as fit into the time, again and again until it is over."""

    def __init__(self, batch: Mapping[str, Any], clock: _Clock, seconds: float) -> None:
        self.batch, self.clock, self.seconds = batch, clock, seconds

    def __iter__(self) -> Iterator[dict[str, Any]]:
        end = time.perf_counter() + self.seconds
        few = _first(self.batch, FEW)
        # Lightning asks for a batch before the step of the one before it.
        for _ in range(WARM + 1):
            yield few
        pictures, taken = self.clock.steps[-1]
        room = max(0.0, end - time.perf_counter()) / 4
        some = _first(self.batch, max(FEW, int(pictures * room / taken)))
        while True:
            yield some
            if time.perf_counter() > end:
                return


def time_steps(
    task: pl.LightningModule,
    batch: Mapping[str, Any],
    make_trainer: Callable[[Sequence[pl.Callback]], pl.Trainer],
    seconds: float = SECONDS,
) -> float:
    """Pictures per second of training steps on one batch that is there; the task's weights change.

    Args:
        task: what is trained.
        batch: of its loader.
        make_trainer: of a trainer for one epoch with these callbacks.
        seconds: after which no further step is begun.
    """
    clock = _Clock()
    if task.hparams.get("class_weights") == "auto":
        # The trainer knows no datamodule that counts, and weights do not change the time.
        task.hparams["class_weights"] = None
    # Trainers of runs take a datamodule, and say what is kept when they are interrupted: here nothing is.
    with _silent():
        pl.Trainer.fit(make_trainer([clock]), task, train_dataloaders=_Batches(batch, clock, seconds))
    return clock.rate()


@contextmanager
def _silent() -> Iterator[None]:
    """What Lightning says of a training is not about this one."""
    logger = logging.getLogger("pytorch_lightning")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _now(trainer: pl.Trainer) -> float:
    if trainer.strategy.root_device.type == "cuda":
        torch.cuda.synchronize(trainer.strategy.root_device)
    return time.perf_counter()


def _length(batch: Mapping[str, Any]) -> int:
    return len(batch["image"])


def _first(batch: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {key: values[:number] for key, values in batch.items()}
