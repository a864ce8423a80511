"""Measures the cells of a row; a cell that fails says so, and the next one is tried."""

import gc
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.card.commands import first_step
from benchmarks.card.loaders import loader, plain
from benchmarks.card.rates import as_gpu_yaml, card, rate_of
from benchmarks.card.report import say, show
from benchmarks.card.rows import Row
from benchmarks.card.settings import Setting
from benchmarks.card.training import whole
from lightning_seg import SlidingDetectorTask
from lightning_seg.inference.boxes import crop_probabilities


def attempt(row: Row, cell: str, measure: Callable[[], float], setting: Setting) -> None:
    """A failure is what the cell says, and the next one is tried."""
    if setting.left() <= 0:
        row.cells[cell] = "no time"
        return
    start = time.monotonic()
    try:
        row.cells[cell] = measure()
    # Of any kind: a card that is full, a compiler that is not there.
    except Exception as error:
        row.cells[cell] = "failed"
        row.failures.append(f"{row.name}: {cell}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
    gc.collect()
    if setting.is_card:
        torch.cuda.empty_cache()
    reason = f": {row.failures[-1]}" if row.cells[cell] == "failed" else ""
    say(f"  {row.name}: {cell} {show(row.cells[cell])} ({time.monotonic() - start:.0f} s){reason}")


def measure_row(row: Row, setting: Setting, with_first_step: bool) -> None:
    if row.system == "detector":
        sliding(row, setting)
        return
    attempt(row, "card", lambda: card(row, setting), setting)
    attempt(row, "loader", lambda: loader(row, setting), setting)
    attempt(row, "Trainer", lambda: whole(row, setting), setting)
    attempt(row, "plain", lambda: plain(row, setting), setting)
    if with_first_step:
        attempt(row, "first step s", lambda: first_step(row, setting), setting)


def sliding(row: Row, setting: Setting) -> None:
    """One picture at a time; the plain script cuts every window out."""
    backbone = "mobilenet_v2" if setting.quick else "vgg16"
    task = SlidingDetectorTask(backbone, None, freeze_encoder=False).to(setting.device).eval()
    shape = (1, 3, row.side, row.side)
    picture = torch.randint(0, 256, shape, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    picture = picture.to(setting.device)
    if setting.is_card:
        torch.cuda.reset_peak_memory_stats()

    def by(way: Callable[[], Any]) -> Callable[[], float]:
        def measure() -> float:
            with torch.inference_mode(), as_gpu_yaml(setting):
                return rate_of(way, 1, setting)

        return measure

    attempt(row, "card", by(lambda: task.window_probabilities(picture)), setting)
    attempt(row, "plain", by(lambda: crop_probabilities(task, picture)), setting)
    row.cells["peak GiB"] = torch.cuda.max_memory_allocated() / 2**30 if setting.is_card else "no card"
