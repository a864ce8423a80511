"""How much of the time steps wait for data."""

import logging
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_seg.callbacks.epoch_record import add_numbers

log = logging.getLogger(__name__)
KEY = "data_wait_share"
MUCH = 0.1
"""Share of the time of an epoch's steps."""
LEAST_SECONDS = 1.0
"""Of waiting in an epoch: what loses less has nothing to gain, and loader processes take some of it to start."""


class DataWait(pl.Callback):
    """Measures the share of time that steps wait for data, writes it to ``metrics.json`` and says where it is much.

    An epoch takes from asking for its first batch to the end of its last step, validation in between left out. It waits
    while the process is in the loader's ``next``, for the first batch, too, behind which loader processes start. Where
    several processes train, all wait for the one that waits longest, so the largest share of theirs counts.
    ``data_wait_share``, in [0, 1], is over all epochs since the last start. What is said is about one epoch, once per
    fit. Of several epochs the first, which fills a cache, is not judged where there is one.

    Measures loaders that have ``waiting``, see ``TrainLoader``, and writes where there is a logger or a run folder.
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.num_epochs, self.waited, self.seconds, self.has_said = 0, 0.0, 0.0, False
        self._begin()

    def _begin(self) -> None:
        """Of an epoch: the end of its newest step, and seconds of validation before and after that."""
        self.last_step = self.validated = self.validated_since = self.validation_began = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # A search for a batch size or a rate may have trained before.
        self._forget()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.last_step = time.perf_counter()
        self.validated, self.validated_since = self.validated + self.validated_since, 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validation_began = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validated_since += time.perf_counter() - self.validation_began

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        share, waited, seconds = self._of_all_processes(trainer, *self._measure(trainer))
        self._begin()
        if seconds <= 0:
            return
        self.num_epochs, self.waited, self.seconds = self.num_epochs + 1, self.waited + waited, self.seconds + seconds
        self._write(trainer)
        if self.num_epochs > 1 or not getattr(_data(trainer), "cache", False):
            self._judge(trainer, share, waited, seconds)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.num_epochs == 1:
            self._judge(trainer, self.waited / self.seconds, self.waited, self.seconds)

    def _measure(self, trainer: pl.Trainer) -> tuple[float, float]:
        """Seconds that this epoch has waited, and that it has taken; 0 where nothing measures them."""
        waiting = getattr(trainer.train_dataloader, "waiting", None)
        if waiting is None or not self.last_step:
            return 0.0, 0.0
        asked, waited = waiting
        return waited, self.last_step - asked - self.validated

    def _of_all_processes(self, trainer: pl.Trainer, waited: float, seconds: float) -> tuple[float, float, float]:
        """The largest share, and seconds that make it."""
        share = waited / seconds if seconds > 0 else 0.0
        values = torch.tensor([share, seconds], device=trainer.strategy.root_device)
        share, seconds = trainer.strategy.reduce(values, reduce_op="max").tolist()
        return share, share * seconds, seconds

    def _write(self, trainer: pl.Trainer) -> None:
        log_dir = trainer.log_dir  # asks all processes, so it stands before the return
        # Where nothing of the training is kept, Lightning names the working folder.
        has_folder = trainer.loggers or getattr(trainer, "run_folder", None) is not None
        if log_dir is not None and has_folder and trainer.is_global_zero:
            add_numbers(Path(log_dir), {KEY: round(self.waited / self.seconds, 4)})

    def _judge(self, trainer: pl.Trainer, share: float, waited: float, seconds: float) -> None:
        if self.has_said or share <= MUCH or waited < LEAST_SECONDS or not trainer.is_global_zero:
            return
        self.has_said = True
        remedy = getattr(_data(trainer), "faster_loading", None)
        log.warning(
            "steps waited for data %.0f %% of the time of epoch %d (%.1f of %.1f s); give %s",
            100 * share,
            trainer.current_epoch,
            waited,
            seconds,
            remedy() if callable(remedy) else "their loader more processes (num_workers), or smaller files",
        )


def _data(trainer: pl.Trainer) -> Any:
    return getattr(trainer, "datamodule", None)
