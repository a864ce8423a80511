"""The learning-rate curve, under names that tell which part of the network it is of."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import pytorch_lightning as pl
import torch
from torch.optim import Optimizer

REST = "decoder"
"""What is not the encoder, where it is of several parts."""


class LearningRates(pl.Callback):
    """Logs the rates that steps are made with, wherever other numbers of the training are logged.

    That is every ``log_every_n_steps`` and at the last step of every epoch. A network with one rate has ``lr``, one
    whose encoder has a rate of its own ``lr/encoder`` and ``lr/decoder`` or ``lr/head``, by the names of its parts. Of
    several optimisers each has its class in the name; the ``name`` of a group of parameters wins over that of its part.
    """

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
        step = trainer.fit_loop.epoch_loop._batches_that_stepped
        due = every > 0 and (step + 1) % every == 0
        if not trainer.loggers or not (due or trainer.is_last_batch):
            return
        names = {parameter: name for name, parameter in pl_module.named_parameters()}
        rates = rates_of(trainer.optimizers, names)
        trainer.callback_metrics.update({name: torch.tensor(rate) for name, rate in rates.items()})
        for logger in trainer.loggers:
            logger.log_metrics(rates, step)


def rates_of(optimizers: Iterable[Optimizer], names: Mapping[torch.nn.Parameter, str]) -> dict[str, float]:
    """Learning rates by name.

    Args:
        optimizers: of the training.
        names: of all parameters.
    """
    optimizers = list(optimizers)
    rates: dict[str, float] = {}
    for optimizer in optimizers:
        start = f"lr/{type(optimizer).__name__}" if len(optimizers) > 1 else "lr"
        for part, rate in _parts(optimizer, names):
            _add(rates, f"{start}/{part}" if part else start, rate)
    return rates


def _add(rates: dict[str, float], name: str, rate: float) -> None:
    """Groups of one part differ in what is no rate, such as decay; of those that do not, all are told."""
    number, told = 1, name
    while rates.get(told, rate) != rate:
        number += 1
        told = f"{name}-{number}"
    rates[told] = rate


def _parts(optimizer: Optimizer, names: Mapping[torch.nn.Parameter, str]) -> list[tuple[str, float]]:
    """Part and rate of each group of parameters."""
    groups: list[dict[str, Any]] = optimizer.param_groups
    # What a schedule scales; at a rate of 0 all would be alike.
    rates = [float(group.get("initial_lr", group["lr"])) for group in groups]
    parts = _modules([[names.get(one, "") for one in group["params"]] for group in groups], rates)
    return [(str(group.get("name") or part), float(group["lr"])) for part, group in zip(parts, groups, strict=True)]


def _modules(groups: Sequence[Sequence[str]], rates: Sequence[float]) -> list[str]:
    """The modules that groups are in, no deeper than it takes to tell their rates apart; nothing of a single rate."""
    above = len(_shared([name for group in groups for name in group]))
    paths = [_shared(group)[above:] for group in groups]
    rest = REST if any(path[:1] == ["encoder"] for path in paths) else ""
    told = [""] * len(groups)
    for depth in range(1 + max(map(len, paths))):
        told = [".".join(path[:depth]) or (rest if depth else "") for path in paths]
        if len(set(zip(told, rates, strict=True))) == len(set(told)):
            break
    return told


def _shared(names: Sequence[str]) -> list[str]:
    """The modules around all of these parameters, from the outermost."""
    levels = zip(*(name.split(".")[:-1] for name in names), strict=False)
    return [level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels)]
