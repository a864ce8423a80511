"""Pictures per second of the device alone, with one batch in its memory: as written, and compiled."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.card.device import wait
from benchmarks.card.rows import Row
from benchmarks.card.settings import SYSTEMS, Setting
from lightning_seg.tasks.optimization import create_optimizer, parameter_groups
from lightning_seg.tasks.supervised import SupervisedTask

WARM_UP = 3
"""Steps before the clock starts."""
Batch = dict[str, Any]


@contextmanager
def as_gpu_yaml(setting: Setting) -> Iterator[None]:
    """TF32, the search for the fastest convolutions, and bf16, as the config has it; on a CPU nothing of it."""
    if not setting.is_card:
        yield
        return
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
        yield


def rate_of(step: Callable[[], Any], pictures: int, setting: Setting) -> float:
    """Pictures per second of a step that is repeated."""
    for _ in range(1 if setting.quick else WARM_UP):
        step()
    wait(setting.device)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < setting.seconds:
        for _ in range(1 if setting.quick or not setting.is_card else 10):
            step()
            count += 1
        # Else the queue would grow far ahead of the clock.
        wait(setting.device)
    return count * pictures / (time.perf_counter() - start)


def make_step(task: SupervisedTask, batch: Batch, setting: Setting) -> Callable[[], None]:
    """Forward, loss, backward and optimiser; no metrics."""
    given: Any = task.hparams
    groups = parameter_groups(task.model, given["lr"], given["weight_decay"], given["encoder_lr_factor"])
    optimizer = create_optimizer(given["optimizer"], groups, given["lr"], {}, fused=setting.is_card)
    loss_of: Any = task.loss

    def step() -> None:
        with as_gpu_yaml(setting):
            truth = batch["mask"].long() if "mask" in batch else batch["label"]
            loss = loss_of(task(batch["image"]), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def fixed_batch(row: Row, task: SupervisedTask, setting: Setting) -> Batch:
    generator = torch.Generator().manual_seed(0)
    shape, classes = (row.batch_size, row.side, row.side, 3), len(task.known_class_names())
    batch = {"image": torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator).permute(0, 3, 1, 2)}
    if row.system in ("pets", "carvana"):
        batch["mask"] = torch.randint(0, classes, shape[:3], dtype=torch.uint8, generator=generator)
    else:
        batch["label"] = torch.randint(0, classes, shape[:1], generator=generator)
    return {name: tensor.to(setting.device) for name, tensor in batch.items()}


def new_task(row: Row, setting: Setting) -> SupervisedTask:
    return SYSTEMS[row.system].make(row.side, 120).to(setting.device).train()


def card(row: Row, setting: Setting) -> float:
    task = new_task(row, setting)
    return rate_of(make_step(task, fixed_batch(row, task, setting), setting), row.batch_size, setting)


def compiled(row: Row, setting: Setting) -> float:
    """Also how long it takes to compile, and from how many steps on that has paid.

    Compiled and as written take turns, so that what else the machine does slows both.
    """
    tasks = [new_task(row, setting) for _ in range(2)]
    batch = fixed_batch(row, tasks[0], setting)
    tasks[0].model.compile(dynamic=False)
    steps = [make_step(task, batch, setting) for task in tasks]
    start = time.perf_counter()
    steps[0]()
    wait(setting.device)
    seconds = time.perf_counter() - start
    turns = [[rate_of(step, row.batch_size, setting) for step in steps] for _ in range(3)]
    rate, eager = (statistics.median(rates) for rates in zip(*turns, strict=True))
    saved = row.batch_size / eager - row.batch_size / rate
    row.cells |= {
        "compile s": seconds,
        "gain": rate / eager,
        "pays from": seconds / saved if saved > 0 else "never",
    }
    return float(rate)
