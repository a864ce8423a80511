"""Continuing in the middle of a training: what Lightning does not restore by itself.

Lightning restores weights, optimisers and counters. This module finds the rest of an interrupted epoch, its counts, and
the position of a schedule if steps have another size than before.
"""

import logging
import math
import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from pytorch_lightning.callbacks import StochasticWeightAveraging, WeightAveraging
from torch import Tensor, nn
from torchmetrics import Metric

from lightning_seg.checkpoints import problems
from lightning_seg.errors import ConfigError

log = logging.getLogger(__name__)
Counts = dict[str, dict[str, Tensor]]
TRAINED = "current_model_state"
"""Lightning's key of the trained weights in a checkpoint whose ``state_dict`` is their average."""


def reopen_epoch(checkpoint: Mapping[str, Any]) -> None:
    """After a checkpoint from the end of an epoch that steps, time or an early stop have cut off, Lightning would begin
    the next epoch, and never train on the rest of the pictures.

    So its loops get the state of an epoch that is not over.
    """
    loops = checkpoint["loops"]["fit_loop"]
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    if is_in_epoch(checkpoint) or batches["is_last_batch"] or not batches["current"]["ready"]:
        return
    for count in epochs.values():
        count["processed"] -= 1
        count["completed"] = count["processed"]


def end_epoch_properly(checkpoint: Mapping[str, Any]) -> None:
    """After a checkpoint that was saved with the last batch of an epoch, Lightning would begin the next epoch; after
    one that was saved during validation, it would continue the validation.

    So its loops get the state before the whole validation and the end of the epoch.
    """
    loops = checkpoint["loops"]["fit_loop"]
    batches, validation = (loops[f"epoch_loop.{name}batch_progress"] for name in ("", "val_loop."))
    current, validated = batches["current"], validation["current"]
    at_last = batches["is_last_batch"] and current["completed"] == current["ready"] - 1
    validating = validated["ready"] > 0 and not (
        validation["is_last_batch"] and validated["completed"] == validated["ready"]
    )
    if not is_in_epoch(checkpoint) or not (at_last or validating):
        return
    for count in (current, batches["total"]) if at_last else ():
        count["completed"] += 1
    # As if the validation had begun.
    validation["total"] = {"ready": 1, "started": 1, "processed": 0, "completed": 0}
    validation["current"] = dict.fromkeys(validation["current"], 0)
    validation["is_last_batch"] = False


def begin_epoch_properly(checkpoint: Mapping[str, Any], trainer: pl.Trainer) -> None:
    """After a checkpoint from the end of an epoch, Lightning would count an epoch without batches if steps end the run.

    So its loops get the state before the next epoch.
    """
    loops = checkpoint["loops"]["fit_loop"]
    epochs, batches = loops["epoch_progress"], loops["epoch_loop.batch_progress"]
    if (
        trainer.max_steps == -1
        or is_in_epoch(checkpoint)
        or epochs["current"]["completed"] == epochs["current"]["started"]
    ):
        return
    for count in epochs.values():
        count["completed"] = count["processed"]
        count["ready"] += 1
    batches["current"] = dict.fromkeys(batches["current"], 0)
    batches["is_last_batch"] = False
    loops["state_dict"].pop("combined_loader", None)
    every = trainer.check_val_every_n_epoch
    if trainer.enable_validation and every is not None and (epochs["current"]["processed"] + 1) % every == 0:
        # Before the first batch Lightning leaves out a validation that was made, and counts a step for it.
        loops["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


def step_on_this_device(checkpoint: Mapping[str, Any], fused: bool) -> None:
    """Let optimisers step as suits today's device, not the checkpoint's.

    torch takes the setting from the checkpoint, which decides where the step counts have to be.
    """
    for state in checkpoint.get("optimizer_states") or []:
        for group in state.get("param_groups", ()):
            if "fused" in group:
                group["fused"] = fused or None


def is_in_epoch(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a checkpoint was saved before its epoch had ended."""
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
    return bool(epochs["processed"] < epochs["started"])


def batches_without_step(trainer: pl.Trainer) -> int:
    """Number of batches of the epoch whose gradients no step has used: these gradients are in no checkpoint."""
    batches = trainer.fit_loop.epoch_loop.batch_progress
    return 0 if batches.is_last_batch else batches.current.ready % trainer.accumulate_grad_batches


def pictures_seen(checkpoint: Mapping[str, Any], without_step: int = 0) -> int | None:
    """Number of pictures that the epoch of a checkpoint has trained on, over all processes; None if unknown.

    Args:
        checkpoint: of a training.
        without_step: batches at its end that have changed no weight.
    """
    loops = checkpoint["loops"]["fit_loop"]
    states = loops["state_dict"].get("combined_loader") or [{}]
    if not {"pictures", "pictures_per_batch"} <= states[0].keys():
        return None
    batches = loops["epoch_loop.batch_progress"]["current"]
    fetched_only = batches["ready"] - batches["processed"]
    unused = max(fetched_only, without_step)
    return int(states[0]["pictures"] - unused * states[0]["pictures_per_batch"])


def go_on_in_epoch(trainer: pl.Trainer, pictures: int | None) -> None:
    """Let an interrupted epoch continue with the pictures that it has not seen.

    Args:
        trainer: before its first batch.
        pictures: number of seen pictures; None computes it from the trainer's batches and today's batch size.
    """
    loader: Any = trainer.train_dataloader
    if not trainer.fit_loop.restarted_mid_epoch or not hasattr(loader, "begin_at"):
        return
    progress: Any = trainer.fit_loop.epoch_loop.batch_progress.current
    if pictures is None:
        pictures = progress.processed * loader.state_dict()["pictures_per_batch"]
    shift = min(loader.begin_at(pictures), int(trainer.num_training_batches)) - progress.processed
    for name in ("ready", "started", "processed", "completed"):
        setattr(progress, name, getattr(progress, name) + shift)


def go_on_averaging(trainer: pl.Trainer) -> None:
    """Let weight averaging continue in the middle of an epoch, since Lightning does not announce the epoch's start."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    for callback in callbacks if trainer.fit_loop.restarted_mid_epoch else ():
        if isinstance(callback, StochasticWeightAveraging):
            callback.on_train_epoch_start(trainer, trainer.lightning_module)


def go_on_without_averaging(checkpoint: dict[str, Any], trainer: pl.Trainer) -> None:
    """Let a training that averages no more go on from the trained weights, which its optimiser belongs to."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    if TRAINED in checkpoint and not any(isinstance(callback, WeightAveraging) for callback in callbacks):
        checkpoint["state_dict"] = checkpoint[TRAINED]
        log.warning(
            "the checkpoint has averaged weights; without --ema or --swa the training goes on from the trained ones"
        )


def steps_worth(trainer: pl.Trainer) -> int:
    """Number of today's optimiser steps that the finished part of the training is worth.

    It keeps the share: half of the epochs are half of the steps, whatever size steps had. If ``max_steps`` ends the
    training, it is the number of steps.
    """
    batches, accumulated = trainer.num_training_batches, trainer.accumulate_grad_batches
    loop: Any = trainer.fit_loop
    epochs, max_epochs = int(loop.epoch_progress.current.processed), trainer.max_epochs
    if batches == math.inf or max_epochs is None:
        return trainer.global_step
    per_epoch = math.ceil(batches / accumulated)
    if trainer.max_steps != -1 and (max_epochs == -1 or trainer.max_steps < max_epochs * per_epoch):
        return trainer.global_step
    done = 0
    if loop.restarted_mid_epoch:
        seen = int(loop.epoch_loop.batch_progress.current.processed)
        done = per_epoch if seen >= batches else seen // accumulated
    return epochs * per_epoch + done


def seed_of(stored: int | None) -> int:
    """The seed of a network's draws: ``seed_everything``, else the checkpoint's, else torch's."""
    given = os.environ.get("PL_GLOBAL_SEED")
    if given is not None:
        return int(given)
    return torch.initial_seed() % 2**32 if stored is None else stored


def seed_step(seed: int, epoch: int, batch: int, rank: int) -> None:
    """Seed a network's draws, such as dropout, by these four values; a resumed run draws the same."""
    torch.manual_seed(int(np.random.SeedSequence((seed, epoch, batch, rank)).generate_state(1)[0]))


def counts_of(module: nn.Module) -> Counts:
    """The counts of a module's metrics in this process; all of them add up."""
    counts = {}
    for name, metric in _metrics(module):
        # A validation that was interrupted is made anew.
        counts_on = metric.update_called and {"val_", "test_"}.isdisjoint(name.split("."))
        found = metric.metric_state.items() if counts_on else ()
        states = {state: value.detach().clone() for state, value in found if isinstance(value, Tensor)}
        if states:
            counts[name] = states
    return counts


def over_processes(counts: Counts) -> Counts:
    """The sums of all processes' counts, on the CPU; every process has to call it."""
    summed: Counts = {}
    for name, states in counts.items():
        summed[name] = {}
        for state, value in states.items():
            total = value.clone()
            if dist.is_available() and dist.is_initialized():
                dist.all_reduce(total)
            summed[name][state] = total.cpu()
    return summed


def restore_counts(module: nn.Module, counts: Counts, rank: int) -> None:
    """Let one process continue with the counts of all.

    Raises:
        ConfigError: if the module has other counts.
    """
    for name, metric in _metrics(module):
        for state, value in counts.get(name, {}).items():
            if value.shape != getattr(metric.metric_state.get(state), "shape", None):
                raise ConfigError(
                    f"what the checkpoint has counted of its epoch as {name}.{state} has another form here; give a "
                    "checkpoint of the end of an epoch"
                )
            if rank == 0:
                setattr(metric, state, value.to(metric.device))
                # Metrics tell by it whether there is anything to compute.
                metric._update_count = max(1, metric._update_count)


def _metrics(module: nn.Module) -> Iterator[tuple[str, Metric]]:
    for name, part in module.named_modules():
        if isinstance(part, Metric):
            yield name, part


def warn_of_unreadable(task: pl.LightningModule) -> None:
    """Of a class of the user's own, before anything is trained whose checkpoints could not be read again."""
    found = list(problems(dict(task.hparams), ""))
    if found:
        log.warning(
            "checkpoints of %s cannot be read again: they hold plain values, and its arguments have %s; give numbers, "
            "texts, lists and mappings, and build the rest in the constructor",
            type(task).__name__,
            ", ".join(found[:3]),
        )
