"""Base of all tasks: the optimiser, continuing a run with other arguments, the content of a checkpoint."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Self

import pytorch_lightning as pl
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lightning_seg.checkpoints import CHECKPOINT_KEY, check_loadable
from lightning_seg.errors import ConfigError, one_line
from lightning_seg.memory import AtMost
from lightning_seg.models.weights import without_pretrained
from lightning_seg.tasks.looking import LookingModule
from lightning_seg.tasks.optimization import (
    NEED_AN_END,
    ParamGroup,
    ShareLR,
    advance_schedule,
    create_optimizer,
    create_schedule,
    is_fused,
    kind_of_groups,
    parameter_groups,
    stays_frozen,
)
from lightning_seg.tasks.processes import steps_are_fused
from lightning_seg.tasks.pruning import prune_in_rows
from lightning_seg.tasks.resuming import (
    Counts,
    batches_without_step,
    begin_epoch_properly,
    counts_of,
    end_epoch_properly,
    go_on_averaging,
    go_on_in_epoch,
    go_on_without_averaging,
    is_in_epoch,
    over_processes,
    pictures_seen,
    reopen_epoch,
    restore_counts,
    seed_of,
    seed_step,
    step_on_this_device,
    steps_worth,
    warn_of_unreadable,
)

log = logging.getLogger(__name__)
OPTIMIZATION = ("optimizer", "optimizer_options", "lr", "weight_decay", "encoder_lr_factor", "layer_decay")
SCHEDULE = ("schedule", "schedule_options")
FREEZING = ("freeze_encoder", "unfreeze_epoch")
ROOM, SPARE = 8, 2**26
"""Limits of a network from a checkpoint: elements per stored weight, and further ones that are not stored."""


class Task(LookingModule, ABC):
    """A network with its optimiser; a subclass adds steps, loss and metrics.

    ``self.hparams`` holds ``optimizer``, ``optimizer_options``, ``lr``, ``weight_decay``, ``encoder_lr_factor``,
    ``layer_decay``, ``schedule``, ``schedule_options``, ``freeze_encoder`` and ``unfreeze_epoch``.
    """

    model: nn.Module
    monitor: tuple[str, str]
    """The metric that chooses the best checkpoint, and ``min`` or ``max``."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh_groups: list[ParamGroup] = []
        self._takes_new_arguments = False
        self._resumes = False
        self._pictures_seen: int | None = None
        self._counted: Counts = {}
        self._counts_at_step: Counts | None = None
        """Counts of the epoch at its newest step; later batches are seen again after a resume."""
        self._counts_of_epoch: Counts = {}
        """Counts of an epoch that was cut off; its metrics have been reset by then."""
        self._seed: int | None = None

    @abstractmethod
    def metric_names(self) -> list[str]:
        """Every metric that can be monitored, once the class names are known."""

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Self:
        """As Lightning's, but a checkpoint runs no code and reads no other file.

        Its arguments are plain values of this class, and the network is about as large as its weights. Pretrained
        weights are not read, since the checkpoint holds all weights. ``weights_only=False`` trusts the file, as
        everywhere in torch.

        Raises:
            ConfigError: naming the entry that is no plain value or no argument of the class.
        """
        if kwargs.get("weights_only") is False:
            with without_pretrained():
                return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
        kwargs["weights_only"] = True
        num_weights = check_loadable(cls, checkpoint_path, args, kwargs)
        try:
            with without_pretrained(), AtMost(ROOM * num_weights + SPARE):
                return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
        except MemoryError as error:
            raise ConfigError(
                f"{checkpoint_path}: its arguments ask for a network far larger than the {num_weights} weights in it; "
                "give another checkpoint"
            ) from error
        # Values that no class would accept.
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise ConfigError(
                f"{checkpoint_path}: {cls.__name__} cannot be built from what it holds ({one_line(error)[:300]}); give "
                "another checkpoint"
            ) from error

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit":
            warn_of_unreadable(self)
            self._check_monitors()
            prune_in_rows(self.trainer, self.model)

    def _check_monitors(self) -> None:
        """Finds a wrong monitor before training; Lightning finds it at the end of the first epoch, or never."""
        names = self.metric_names()
        callbacks: list[pl.Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        own = [callback for callback in callbacks if not _is_known(type(callback))]
        for callback in callbacks:
            monitor = getattr(callback, "monitor", None)
            # The user's own callbacks and tasks may log more.
            if monitor is None or monitor in names or own or not _is_known(type(self)):
                continue
            near = get_close_matches(monitor, names, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"{type(callback).__name__} monitors {monitor!r}, which is never logged; did you mean {near!r}?"
            )

    # Optimiser

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = self._make_optimizer()
        schedule = self._make_schedule(optimizer)
        self._fresh_groups = [_arguments_of(group) for group in optimizer.param_groups]
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _make_optimizer(self) -> Optimizer:
        given = self.hparams
        rates = (given[name] for name in ("lr", "weight_decay", "encoder_lr_factor", "layer_decay"))
        groups = parameter_groups(self.model, *rates)
        if stays_frozen(given):
            groups = [group for group in groups if any(parameter.requires_grad for parameter in group["params"])]
        options = given["optimizer_options"] or {}
        return create_optimizer(given["optimizer"], groups, given["lr"], options, steps_are_fused(self.trainer))

    def _make_schedule(self, optimizer: Optimizer) -> LRScheduler:
        given = self.hparams
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf") and given["schedule"] in NEED_AN_END:
            raise ConfigError(
                f"schedule {given['schedule']} needs an end; set --trainer.max_epochs, or schedule constant"
            )
        total_steps = 1 if steps == float("inf") else max(1, int(steps))
        return create_schedule(given["schedule"], optimizer, total_steps, given["schedule_options"] or {})

    # Continuing

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """This task's arguments win over those that the optimiser and the schedule were saved with.

        The optimiser keeps its state of each weight, unless the optimiser or the set of trained weights has changed.
        """
        stored = checkpoint.get("hyper_parameters") or {}
        if self._trainer is None or self.trainer.state.fn != "fit" or not stored:
            return
        stored = {"layer_decay": 1.0, **stored}  # older ones do not tell it
        self._resumes = True
        go_on_without_averaging(checkpoint, self.trainer)
        self._read_progress(checkpoint)
        options = self.hparams["optimizer_options"] or {}
        step_on_this_device(checkpoint, is_fused(options, steps_are_fused(self.trainer)))
        changed = {name for name in (*OPTIMIZATION, *SCHEDULE, *FREEZING) if self._differs(name, stored)}
        self._takes_new_arguments = bool(changed)
        if not changed:
            return
        # Lightning restores what it finds; the schedule is brought to its step when training starts.
        checkpoint["lr_schedulers"] = []
        if "optimizer" in changed or kind_of_groups(stored) != kind_of_groups(self.hparams):
            checkpoint["optimizer_states"] = []
            reasons = sorted(changed.intersection(("optimizer", "layer_decay", *FREEZING)))
            others = ", ".join(f"{name} {stored[name]}" for name in reasons)
            log.warning("the optimiser starts anew: its state in the checkpoint belongs to %s", others)

    def _differs(self, name: str, stored: Mapping[str, Any]) -> bool:
        return name in stored and name in self.hparams and stored[name] != self.hparams[name]

    def _read_progress(self, checkpoint: dict[str, Any]) -> None:
        """Position in its epoch at which a checkpoint was saved."""
        own = checkpoint.get(CHECKPOINT_KEY) or {}
        self._seed = own.get("seed")
        if "fit_loop" in checkpoint.get("loops", {}):
            reopen_epoch(checkpoint)
            end_epoch_properly(checkpoint)
            begin_epoch_properly(checkpoint, self.trainer)
            self._pictures_seen = pictures_seen(checkpoint, own.get("batches_without_step", 0))
            self._counted = own.get("counted") or {}

    def on_train_start(self) -> None:
        super().on_train_start()
        self._counts_at_step = None
        self._seed = seed_of(self._seed)
        if not self._resumes:
            return
        self._resumes = False
        go_on_in_epoch(self.trainer, self._pictures_seen)
        restore_counts(self, self._counted, self.trainer.global_rank)
        self._counted = {}
        self._resume_optimization()
        go_on_averaging(self.trainer)

    def _resume_optimization(self) -> None:
        """Typed arguments win, and the schedule continues at the share of the training that is done."""
        optimizer, schedule = self.optimizers(use_pl_optimizer=False), self.lr_schedulers()
        if not isinstance(optimizer, Optimizer):
            # Several, of the user's own.
            return
        takes_new, self._takes_new_arguments = self._takes_new_arguments, False
        # Weight averaging, where it was at work, has taken the task's schedule away and sets the rates itself.
        averages = not isinstance(schedule, LRScheduler)
        if takes_new:
            self._renew_groups(optimizer, ("lr", "initial_lr") if averages else ())
        if not isinstance(schedule, LRScheduler):
            return
        steps, worth = self.trainer.global_step, steps_worth(self.trainer)
        if isinstance(schedule, ShareLR):
            schedule.ahead = worth - steps
        elif worth != steps:
            log.warning(
                "%s counts steps: %d were done, which are %d of today's size; give --model.schedule_options that fit, "
                "or a schedule that follows the share of the training, such as cosine",
                type(schedule).__name__,
                steps,
                worth,
            )
        if takes_new or isinstance(schedule, ShareLR):
            advance_schedule(schedule, steps)

    def _renew_groups(self, optimizer: Optimizer, kept: Sequence[str]) -> None:
        """What was typed is what the optimiser steps by, but for what is ``kept``."""
        if len(self._fresh_groups) != len(optimizer.param_groups):
            log.warning("%s makes its optimiser itself, which goes on as it was saved", type(self).__name__)
            return
        for group, fresh in zip(optimizer.param_groups, self._fresh_groups, strict=True):
            group.update({name: value for name, value in fresh.items() if name not in kept})

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seeds the step, so that a resumed run has the draws of an uninterrupted one."""
        assert self._seed is not None
        seed_step(self._seed, self.current_epoch, batch_idx, self.global_rank)
        accumulated: int = self.trainer.accumulate_grad_batches
        if accumulated > 1 and (self._counts_at_step is None or batch_idx % accumulated == 0):
            self._counts_at_step = counts_of(self)

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        is_cut_off = not self.trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        self._counts_of_epoch = counts_of(self) if is_cut_off else {}

    def _counts_to_keep(self, checkpoint: Mapping[str, Any]) -> Counts:
        """Counts that a run continued within this epoch needs; none after whole epochs."""
        if not is_in_epoch(checkpoint):
            return over_processes(self._counts_of_epoch)
        again = batches_without_step(self.trainer) and self._counts_at_step is not None
        return over_processes(self._counts_at_step or {}) if again else over_processes(counts_of(self))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds everything that is needed to load the task and apply it to pictures."""
        super().on_save_checkpoint(checkpoint)
        size = self.size_of_pictures()
        checkpoint[CHECKPOINT_KEY] = {
            "task": f"{type(self).__module__}.{type(self).__qualname__}",
            "image_size": None if size is None else list(size),
            "batch_size": getattr(getattr(self.trainer, "datamodule", None), "batch_size", None),
            "seed": self._seed,
            "batches_without_step": batches_without_step(self.trainer),
            "counted": self._counts_to_keep(checkpoint),
        }


def _is_known(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("pytorch_lightning", "lightning", "lightning_seg")


def _arguments_of(group: Mapping[str, Any]) -> ParamGroup:
    return {name: value for name, value in group.items() if name != "params"}
