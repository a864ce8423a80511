"""Optimisers and learning-rate schedules by name."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import timm.optim
import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from lightning_seg.errors import ConfigError, unknown_name
from lightning_seg.models.layers import PREFIX, depths

ParamGroup = dict[str, Any]
Shape = Callable[..., float]
NEED_AN_END = ("one_cycle", "cosine", "poly", "swa")
FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
"""Optimisers of torch with a fused step on CUDA devices and CPUs: one pass over weights, gradients and moments."""
WAYS = ("fused", "foreach", "capturable", "differentiable")
"""Options for the computation of a step."""
UNSUITABLE = ("_LRScheduler", "ReduceLROnPlateau")
"""An alias of the base class, and a schedule that waits for a metric instead of counting steps."""


def constant(progress: float) -> float:
    return 1.0


def one_cycle(progress: float, warmup: float = 0.3, start: float = 0.04, end: float = 0.0) -> float:
    """Half a cosine up from ``start`` during the ``warmup`` share of the run, half a cosine down to ``end``.

    Source: Smith and Topin, "Super-Convergence", 2018.
    """
    if progress < warmup:
        return _cosine(start, 1.0, progress / warmup)
    return _cosine(1.0, end, (progress - warmup) / (1 - warmup))


def cosine(progress: float, warmup: float = 0.05, end: float = 0.0) -> float:
    """A straight line up from 0 during ``warmup``, half a cosine down to ``end``.

    Source: Loshchilov and Hutter, "SGDR", 2017.
    """
    if progress < warmup:
        return progress / warmup
    return _cosine(1.0, end, (progress - warmup) / (1 - warmup))


def poly(progress: float, power: float = 0.9) -> float:
    """``(1 - progress) ** power``. Source: Chen et al., "DeepLab", 2017."""
    return float((1 - progress) ** power)


def swa(progress: float, warmup: float = 0.05, start: float = 0.75, level: float = 0.5) -> float:
    """A straight line up from 0 during ``warmup``, half a cosine down to ``level`` until ``start``, then constant.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima", 2018.
    """
    if progress < warmup:
        return progress / warmup
    return _cosine(1.0, level, min(1.0, (progress - warmup) / (start - warmup)))


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


SHAPES: dict[str, Shape] = {shape.__name__: shape for shape in (constant, one_cycle, cosine, poly, swa)}
"""Factor of the learning rate over the share of the run that is done, in [0, 1]."""


class ShareLR(LambdaLR):
    """A shape over the share of the training that is done, stepped once per optimiser step.

    Steps of an earlier part of the training may have had another size: ``ahead`` is the number of today's steps that
    this part is worth, minus the number of its own.
    """

    def __init__(self, optimizer: Optimizer, shape: Callable[[float], float], total_steps: int) -> None:
        self.total_steps, self.ahead = total_steps, 0
        super().__init__(optimizer, lambda step: shape(min((step + self.ahead) / self.total_steps, 1.0)))

    def state_dict(self) -> dict[str, Any]:
        """The state without today's settings."""
        return {name: value for name, value in super().state_dict().items() if name not in ("total_steps", "ahead")}


def create_schedule(name: str, optimizer: Optimizer, total_steps: int, options: Mapping[str, Any]) -> LRScheduler:
    """A schedule stepped once per optimiser step: one of ``SHAPES``, or a class of ``torch.optim.lr_scheduler``.

    A shape stores the steps that were done, not their planned number, so a resumed run may have a new length, and steps
    of another size, see ``ShareLR``.

    Raises:
        ConfigError: if the name or an option does not exist.
    """
    try:
        if name in SHAPES:
            shape = SHAPES[name]
            # Mistakes in the options show here, not in the middle of a run.
            for progress in (0.0, 0.5, 1.0):
                shape(progress, **options)
            return ShareLR(optimizer, partial(shape, **options), total_steps)
        if _is_class(lr_scheduler, name, LRScheduler):
            schedule: LRScheduler = getattr(lr_scheduler, name)(optimizer, **options)
            return schedule
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"schedule {name!r} does not accept {dict(options)}: {error}") from error
    raise _unknown_schedule(name)


def check_names(optimizer: str, schedule: str) -> None:
    """Raises ConfigError if there is no such optimiser or schedule."""
    if not _is_class(torch.optim, optimizer, Optimizer) and optimizer not in timm.optim.list_optimizers():
        raise _unknown_optimizer(optimizer)
    if schedule not in SHAPES and not _is_class(lr_scheduler, schedule, LRScheduler):
        raise _unknown_schedule(schedule)


def advance_schedule(schedule: LRScheduler, steps: int) -> None:
    """Bring a new schedule to where it would be after ``steps`` optimiser steps."""
    if isinstance(schedule, ShareLR):
        # It depends on the number of the step alone.
        schedule.last_epoch = steps - 1
        steps = 1
    with warnings.catch_warnings():
        # torch misses the optimiser's steps.
        warnings.simplefilter("ignore")
        try:
            for _ in range(steps):
                schedule.step()
        except ValueError as error:
            raise ConfigError(
                f"schedule {type(schedule).__name__} ends before the {steps} steps that the run has done: {error}"
            ) from error


def create_optimizer(
    name: str, groups: Iterable[ParamGroup], lr: float, options: Mapping[str, Any], fused: bool = False
) -> Optimizer:
    """A class of ``torch.optim`` by its exact name (``AdamW``), or any optimiser of timm (``adamw``, ``lamb``, ...).

    Args:
        name: of the optimiser.
        groups: of parameters.
        lr: learning rate.
        options: further arguments.
        fused: one kernel per group and step, if the optimiser has it and no option says otherwise.

    Raises:
        ConfigError: if the name or an option does not exist.
    """
    groups = list(groups)
    try:
        optimizer = _create(name, groups, lr, options)
        if type(optimizer) in FUSED and is_fused(options, fused) and not options.get("fused"):
            return _create(name, groups, lr, {**options, "fused": True})
        return optimizer
    except (TypeError, ValueError, AssertionError, ImportError) as error:
        raise ConfigError(f"optimizer {name!r} does not accept {dict(options)} at lr {lr}: {error}") from error


def is_fused(options: Mapping[str, Any], default: bool) -> bool:
    """Whether an optimiser with a fused step uses it: by its options, else by default."""
    chosen = any(options.get(way) is not None for way in WAYS)
    return bool(options.get("fused")) if chosen else default


def _create(name: str, groups: list[ParamGroup], lr: float, options: Mapping[str, Any]) -> Optimizer:
    # Optimisers complete the groups that they get.
    groups = [dict(group) for group in groups]
    if _is_class(torch.optim, name, Optimizer):
        optimizer: Optimizer = getattr(torch.optim, name)(groups, lr=lr, **options)
        return optimizer
    if name in timm.optim.list_optimizers():
        optimizer = timm.optim.create_optimizer_v2(groups, opt=name, lr=lr, **options)
        return optimizer
    raise _unknown_optimizer(name)


def _unknown_optimizer(name: str) -> ConfigError:
    classes = [key for key in vars(torch.optim) if _is_class(torch.optim, key, Optimizer)]
    return unknown_name("optimizer", name, [*timm.optim.list_optimizers(), *classes])


def _unknown_schedule(name: str) -> ConfigError:
    classes = [key for key in vars(lr_scheduler) if _is_class(lr_scheduler, key, LRScheduler)]
    return unknown_name("schedule", name, [*SHAPES, *classes])


def _is_class(module: Any, name: str, base: type) -> bool:
    found = getattr(module, name, None)
    return isinstance(found, type) and issubclass(found, base) and found is not base and name not in UNSUITABLE


def parameter_groups(
    model: nn.Module, lr: float, weight_decay: float, encoder_lr_factor: float = 1.0, layer_decay: float = 1.0
) -> list[ParamGroup]:
    """Up to four groups: encoder and rest, with and without decay; biases and norm layers never decay.

    ``encoder_lr_factor`` scales the rate of parameters whose names begin with ``encoder.``. Below 1, ``layer_decay``
    scales it once more for each layer up to the end of the encoder, see ``depths``, and each layer has its groups.
    """
    depth_of = depths(model) if layer_decay != 1 else {}
    groups: dict[tuple[bool, int, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        key = name.startswith(PREFIX), depth_of.get(name, 0), parameter.ndim > 1
        groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": lr * (encoder_lr_factor if in_encoder else 1.0) * layer_decay**depth,
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (in_encoder, depth, decays), parameters in groups.items()
    ]


def stays_frozen(given: Mapping[str, Any]) -> bool:
    """Whether the encoder has no groups, by the arguments of a task."""
    return bool(given.get("freeze_encoder")) and given.get("unfreeze_epoch") is None


def kind_of_groups(given: Mapping[str, Any]) -> tuple[bool, bool]:
    """What decides which weights make a group, by the arguments of a task."""
    return stays_frozen(given), given["layer_decay"] != 1
