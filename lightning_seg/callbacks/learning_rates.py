"""The learning-rate curve, under names that tell which part of the network it is of."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import pytorch_lightning as pl
import torch
from torch.optim import Optimizer

REST = "decoder"
"""What is not the encoder, where it is of several parts."""


class LearningRates(pl.Callback):
    """Logs the rates that steps are made with, wherever other numbers of the training are logged.

    That is every ``log_every_n_steps``, where it is validated, and at the last step of every epoch. A network with one
    rate has ``lr``, one whose encoder has a rate of its own ``lr/encoder`` and ``lr/decoder`` or ``lr/head``, by the
    names of its parts. Of several optimisers each has its class in the name; the ``name`` of a group of parameters wins
    over that of its part.
    """

    def __init__(self) -> None:
        self.newest: tuple[int, list[list[Any]]] | None = None
        """The newest step, and the rates of the groups of each optimiser in it."""
        self.logged: int | None = None
        """The newest step whose rates are logged."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.newest = self.logged = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        step = trainer.fit_loop.epoch_loop._batches_that_stepped
        # Schedules change them before the step is logged.
        self.newest = step, [[group["lr"] for group in optimizer.param_groups] for optimizer in trainer.optimizers]
        if every > 0 and (step + 1) % every == 0:
            self._log(trainer, pl_module)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._log(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._log(trainer, pl_module)
        # Before the checkpoint of the epoch, after which they would not be logged again.
        for logger in trainer.loggers:
            logger.save()

    def _log(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # One step may be of several batches.
        if self.newest is None or self.newest[0] == self.logged:
            return
        step, values = self.newest
        self.logged = step
        names = {parameter: name for name, parameter in pl_module.named_parameters()}
        rates = rates_of(trainer.optimizers, values, names)
        trainer.callback_metrics.update({name: torch.tensor(rate) for name, rate in rates.items()})
        for logger in trainer.loggers:
            logger.log_metrics(rates, step)


def rates_of(
    optimizers: Sequence[Optimizer], values: Sequence[Sequence[Any]], names: Mapping[torch.nn.Parameter, str]
) -> dict[str, float]:
    """Learning rates by name.

    Args:
        optimizers: of the training.
        values: the rates of the groups of each.
        names: of all parameters.
    """
    rates: dict[str, float] = {}
    for optimizer, of_groups in zip(optimizers, values, strict=True):
        start = f"lr/{type(optimizer).__name__}" if len(optimizers) > 1 else "lr"
        for part, rate in zip(_parts(optimizer, names), of_groups, strict=False):
            _add(rates, f"{start}/{part}" if part else start, float(rate))
    return rates


def _add(rates: dict[str, float], name: str, rate: float) -> None:
    """Groups of one part differ in what is no rate, such as decay; of those that do not, all are told."""
    number, told = 1, name
    while rates.get(told, rate) != rate:
        number += 1
        told = f"{name}-{number}"
    rates[told] = rate


def _parts(optimizer: Optimizer, names: Mapping[torch.nn.Parameter, str]) -> list[str]:
    """The part of each group of parameters."""
    groups: list[dict[str, Any]] = optimizer.param_groups
    # What a schedule scales; at a rate of 0 all would be alike.
    rates = [float(group.get("initial_lr", group["lr"])) for group in groups]
    parts = _modules([[names.get(one, "") for one in group["params"]] for group in groups], rates)
    return [str(group.get("name") or part) for part, group in zip(parts, groups, strict=True)]


def _modules(groups: Sequence[Sequence[str]], rates: Sequence[float]) -> list[str]:
    """The modules that groups are in, no deeper than it takes to tell their rates apart; nothing of a single rate."""
    above = len(_shared([name for group in groups for name in group]))
    paths = [path[above:] for path in _told_apart(groups, rates)]
    rest = REST if any(path[:1] == ["encoder"] for path in paths) else ""
    told = [""] * len(groups)
    for depth in range(1 + max(map(len, paths))):
        told = [".".join(path[:depth]) or (rest if depth else "") for path in paths]
        if len(set(zip(told, rates, strict=True))) == len(set(told)):
            break
    return told


def _told_apart(groups: Sequence[Sequence[str]], rates: Sequence[float]) -> list[list[str]]:
    """The modules around each group; the first parameter where others with another rate lie around the same ones."""
    shared = [_shared(group) for group in groups]
    found: dict[str, set[float]] = {}
    for path, rate in zip(shared, rates, strict=True):
        found.setdefault(".".join(path), set()).add(rate)
    return [
        group[0].split(".") if group and len(found[".".join(path)]) > 1 else path
        for path, group in zip(shared, groups, strict=True)
    ]


def _shared(names: Sequence[str]) -> list[str]:
    """The modules around all of these parameters, from the outermost."""
    levels = zip(*(name.split(".")[:-1] for name in names), strict=False)
    return [level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels)]
