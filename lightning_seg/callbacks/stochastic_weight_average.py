"""Stochastic weight averaging: the mean of the weights after each of the last epochs, which is validated and kept.

Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import islice
from math import isfinite
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from lightning_seg.callbacks.weight_average import AveragedTask, WeightAverage
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.resuming import TRAINED

log = logging.getLogger(__name__)
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm


def check_start(start: float) -> None:
    """Raises ConfigError for a share outside of [0, 1)."""
    if not 0 <= start < 1:
        raise ConfigError(f"swa {start} is not from 0 to below 1; 0.75 averages over the last quarter of the epochs")


class MeanTask(AveragedTask):
    """The mean of a task's weights, each time counted alike."""

    def __init__(self, task: pl.LightningModule, device: torch.device) -> None:
        super().__init__(task, 1.0, device)

    def decay_after(self, number: int) -> float:
        return number / (number + 1)


class StochasticWeightAverage(WeightAverage):
    """The mean of the weights after each of the last epochs, in place and in checkpoints as ``WeightAverage`` has it.

    Until the first of these epochs has ended, everything is as without. The statistics of BatchNorm that are trained
    are counted anew for the mean, by a pass over the training pictures of the epoch: those of other weights would be
    wrong for it. It needs batches with ``image``, and a single loader; otherwise the statistics are averaged, too.

    The schedule of the task goes on. Lightning's own callback (2.6) takes its place, shows the mean to no validation
    and so to no best checkpoint, and counts statistics by a further epoch at the end.

    Args:
        start: share of the epochs after which it begins.

    Raises:
        ConfigError: at the beginning of the training, if it has no number of epochs, and as ``WeightAverage``.
    """

    flag = "swa"

    def __init__(self, start: float) -> None:
        check_start(start)
        super().__init__(0.0)
        self.start = start

    @property
    def value(self) -> float:
        return self.start

    def make_average(self, pl_module: pl.LightningModule, device: torch.device) -> AveragedModel:
        return MeanTask(pl_module, device)

    def first_epoch(self, trainer: pl.Trainer) -> int:
        """The first epoch whose end counts."""
        if trainer.max_epochs is None or trainer.max_epochs < 1:
            raise ConfigError(f"swa {self.start} is a share of the epochs; set --trainer.max_epochs")
        # 100 * 0.29 is 28.999999999999996.
        return int(round(trainer.max_epochs * self.start, 9))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self.first_epoch(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # The validation of the epoch comes before its end.
        if trainer.is_last_batch and trainer.current_epoch >= self.first_epoch(trainer):
            self.average_now(pl_module)
            self._count_statistics(trainer, pl_module)

    def _put(self, pl_module: pl.LightningModule, average: bool) -> None:
        super()._put(pl_module, average and self.number_averaged > 0)

    def _count_statistics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        found = (one for one in pl_module.modules() if isinstance(one, Norm) and one.track_running_stats)
        norms = [one for one in found if one.training]
        if not norms:
            return
        with self.in_place(pl_module), _counting(pl_module, norms), trainer.precision_plugin.forward_context():
            for images in _images(trainer):
                pl_module(images)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        if not self.number_averaged:
            log.warning(
                "swa %s: the training has ended before %s epochs, so nothing was averaged",
                self.start,
                self.first_epoch(trainer) + 1,
            )

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        if self.number_averaged:
            super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: Any) -> None:
        if trainer.state.fn != "fit":
            return
        first = self.first_epoch(trainer)
        if TRAINED not in checkpoint:
            if checkpoint["epoch"] > first:
                log.warning("the checkpoint has no averaged weights, so the mean begins with the epoch that comes next")
        elif self.state_key in checkpoint.get("callbacks", {}) and checkpoint["epoch"] < first:
            # The training was to be shorter when they were averaged.
            reason = f"the checkpoint has averaged weights, and the mean of this training begins with epoch {first}"
            self.begin_with_trained(trainer, pl_module, checkpoint, reason)
        else:
            super().on_load_checkpoint(trainer, pl_module, checkpoint)


@contextmanager
def _counting(module: nn.Module, norms: Sequence[Norm]) -> Iterator[None]:
    """Nothing trains, and the norms count mean and variance of all that they see; then every mode is as before."""
    modes = {part: part.training for part in module.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    module.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        # All batches count alike.
        norm.momentum = None
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode
        for norm, momentum in momenta.items():
            norm.momentum = momentum


def _images(trainer: pl.Trainer) -> Iterator[Tensor]:
    """The pictures of the epoch once more, with the same draws, on the device; nothing if they are not told."""
    loader: Any = trainer.train_dataloader
    if not isinstance(loader, DataLoader):
        return
    number = trainer.num_training_batches
    # The loader itself tells the position and the waiting of the training.
    for batch in islice(copy(loader), int(number) if isfinite(number) else None):
        if not isinstance(batch, Mapping) or "image" not in batch:
            return
        moved: Tensor = trainer.strategy.batch_to_device(batch["image"])
        yield moved
