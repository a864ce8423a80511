"""A task and data that stay at a chosen moment until a signal ends them.

The environment says which: ``WAIT_AT``, and ``WAIT_MARK`` is the file that says that it has come.
"""

import ctypes
import os
import time
from pathlib import Path
from typing import Any

from lightning_seg import CNNClassifierTask, ImageFolderDataModule
from lightning_seg.batch import PictureBatch


def wait_at(moment: str) -> None:
    """Python that goes on, as a long batch does; ``native`` is code that no signal interrupts."""
    asked = os.environ["WAIT_AT"]
    if asked.removesuffix(" native") != moment:
        return
    Path(os.environ["WAIT_MARK"]).touch()
    if asked.endswith(" native"):
        lock = ctypes.create_string_buffer(64)
        while True:
            ctypes.CDLL(None).pthread_mutex_lock(lock)
    for _ in range(6000):
        time.sleep(0.01)


def wait_for_compilers() -> None:
    """As on a card, where kernels are compiled by the workers of a process that torch starts."""
    if os.environ["WAIT_AT"] != "compilers":
        return
    from torch._inductor.async_compile import AsyncCompile

    pool = AsyncCompile.process_pool()
    jobs = [pool.submit(compile_long, os.environ["WAIT_MARK"]) for _ in range(2)]
    for job in jobs:
        job.result()


def compile_long(mark: str) -> None:
    Path(mark).touch()
    time.sleep(60)


class WaitingTask(CNNClassifierTask):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if batch_idx == 1:
            wait_for_compilers()
            wait_at(f"epoch {self.current_epoch}")
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Any, batch_idx: int) -> Any:
        if not self.trainer.sanity_checking:
            wait_at("validation")
        return super().validation_step(batch, batch_idx)

    def test_step(self, batch: Any, batch_idx: int) -> Any:
        wait_at("test")
        return super().test_step(batch, batch_idx)

    def predict_step(self, batch: PictureBatch, batch_idx: int) -> Any:
        if batch_idx == 2:
            wait_at("predict")
        return super().predict_step(batch, batch_idx)


class WaitingDataModule(ImageFolderDataModule):
    def prepare_data(self) -> None:
        wait_at("prepare")
        super().prepare_data()

    def setup(self, stage: str) -> None:
        wait_at("setup")
        super().setup(stage)
