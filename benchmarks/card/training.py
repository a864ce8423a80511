"""Pictures per second of the Trainer with everything on, and the share of time that the card is busy."""

import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytorch_lightning as pl
import torch

from benchmarks.card.device import wait
from benchmarks.card.loaders import data_for, lengthen
from benchmarks.card.rates import WARM_UP
from benchmarks.card.rows import Row
from benchmarks.card.settings import SYSTEMS, Setting
from lightning_seg.callbacks import MatmulPrecision


class Busy:
    """Share of time in which a kernel was at work on the card, as NVML samples it."""

    def __init__(self, setting: Setting) -> None:
        self.share: float | None = None
        self.reason = "no card"
        self._samples: list[float] = []
        self._over = threading.Event()
        self._read = self._reader() if setting.is_card else None

    def _reader(self) -> Callable[[], float] | None:
        self.reason = "no NVML"
        with suppress(Exception):
            torch.cuda.utilization()
            return lambda: torch.cuda.utilization() / 100
        program = shutil.which("nvidia-smi")
        if program is None:
            return None
        words = [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
        return lambda: float(subprocess.run(words, capture_output=True, text=True, check=True).stdout) / 100

    def begin(self) -> None:
        if self._read is not None:
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()

    def _sample(self) -> None:
        # What it tells is of the past sixth of a second, or more.
        while not self._over.wait(0.2):
            with suppress(Exception):
                assert self._read is not None
                self._samples.append(self._read())

    def end(self) -> None:
        self._over.set()
        if self._read is None:
            return
        self._thread.join()
        self.reason = "too short"
        if len(self._samples) > 2:
            self.share = statistics.mean(self._samples[1:])


class Clock(pl.Callback):
    """Starts with the first step after the warm-up and stops with the last one."""

    def __init__(self, setting: Setting, busy: Busy) -> None:
        self.setting, self.busy = setting, busy
        self.steps, self.start, self.seconds = 0, 0.0, 0.0

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self.steps += 1
        if self.steps == WARM_UP:
            wait(self.setting.device)
            self.busy.begin()
            self.start = time.perf_counter()
        elif self.steps == trainer.max_steps:
            wait(self.setting.device)
            self.seconds = time.perf_counter() - self.start
            self.busy.end()


def whole(row: Row, setting: Setting) -> float:
    """The Trainer with loader, metrics, logger, pictures decoded before."""
    data, base = data_for(row, setting)
    expected = row.number("card") or 100.0
    steps = WARM_UP + max(3, min(3000, int(2 * setting.seconds * expected / row.batch_size)))
    lengthen(data, base, (steps + 1) * row.batch_size)
    busy = Busy(setting)
    clock = Clock(setting, busy)
    if setting.is_card:
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            accelerator="gpu" if setting.is_card else "cpu",
            devices=1,
            precision="bf16-mixed" if setting.is_card else "32-true",
            benchmark=setting.is_card,
            max_steps=steps,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            default_root_dir=folder,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock, MatmulPrecision()],
        )
        trainer.fit(SYSTEMS[row.system].make(row.side, data.num_classes), data)
    row.cells["busy"] = busy.share if busy.share is not None else busy.reason
    row.cells["peak GiB"] = torch.cuda.max_memory_allocated() / 2**30 if setting.is_card else "no card"
    return (steps - WARM_UP) * row.batch_size / clock.seconds
