"""Tasks whose three stages count losses and scores, and log them once per epoch."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seg.batch import Split
from lightning_seg.errors import ConfigError
from lightning_seg.memory import keep_freed_memory
from lightning_seg.metrics import MetricPart, SplitScores
from lightning_seg.metrics.parts import Part
from lightning_seg.metrics.split_losses import SplitLosses
from lightning_seg.tasks.predicting import PredictingTask
from lightning_seg.tasks.verdicts import Verdicts

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class CountingTask(PredictingTask, ABC):
    """A subclass says what a batch costs and what is measured, and counts with ``losses_of`` and ``scores_of``."""

    default_monitor: str
    curves: tuple[str, ...]
    """Quantities of the training curves."""

    def __init__(self) -> None:
        super().__init__()
        self._verdicts = Verdicts()
        self._unanswered = torch.zeros((), dtype=torch.int64)

    # What is counted

    def replace_loss(self, loss: Any) -> None:
        """Train by a loss of one's own, called in the constructor of a subclass; its parts are counted and logged.

        Args:
            loss: derives from the loss of this kind of task, and knows the weight of each part.
        """
        self.loss = loss
        self._count_losses(loss.weights)

    def count(self, weights: Mapping[str, float]) -> None:
        """Set up the counts of the loss, whose parts have these weights, and of what ``metric_parts`` gives."""
        self.scores = nn.ModuleDict({f"{split}_": SplitScores(self.metric_parts(split)) for split in SPLITS})
        self._count_losses(weights)

    def _count_losses(self, weights: Mapping[str, float]) -> None:
        # torch's ModuleDict refuses the key "train".
        self.losses = nn.ModuleDict({f"{split}_": SplitLosses(weights) for split in SPLITS})
        self._find_direction()

    @abstractmethod
    def metric_parts(self, split: Split) -> dict[str, MetricPart]:
        """What is measured in a split besides the losses, called once for each by the constructor.

        All parts count the same batches, by their ``update``; a checkpoint keeps their counts under these names.
        """

    def _find_direction(self) -> None:
        """Which way is better of the monitored metric, as the part says that gives it; others may log it, too."""
        metric = self.monitor[0]
        _, _, name = metric.partition("/")
        for part in self.parts_of("val"):
            # Names of classes are not known yet, and all classes of a quantity have one direction.
            if name.partition("/")[0] in {one.partition("/")[0] for one in part.names(self.known_class_names())}:
                self.monitor = metric, "max" if part.higher_is_better else "min"

    def losses_of(self, split: Split) -> SplitLosses:
        losses = self.losses[f"{split}_"]
        assert isinstance(losses, SplitLosses)
        return losses

    def scores_of(self, split: Split) -> SplitScores:
        scores = self.scores[f"{split}_"]
        assert isinstance(scores, SplitScores)
        return scores

    def parts_of(self, split: Split) -> list[Part]:
        """All that gives values of a split by name, the losses first."""
        return [self.losses_of(split), *self.scores_of(split).parts]

    def counted_names(self) -> tuple[str, ...]:
        """What is counted, for the names of metrics."""
        return self.known_class_names()

    def metric_names(self) -> list[str]:
        counted = self.counted_names()
        names = [
            f"{split}/{name}" for split in SPLITS[:2] for part in self.parts_of(split) for name in part.names(counted)
        ]
        if twice := [name for name, times in Counter(names).items() if times > 1]:
            raise ConfigError(f"{type(self).__name__} measures {twice[0]} twice; give a part of its own other names")
        return names

    # Stages

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self._verdicts = Verdicts()
        if self.device.type == "cpu":
            keep_freed_memory()

    @abstractmethod
    def shared_step(self, batch: Any, split: Split) -> Tensor:
        """The loss of a batch, which also counts for the split."""

    def measure(self, batch: Any, split: Split) -> None:
        """Measures a batch in validation and test."""
        self.shared_step(batch, split)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.shared_step(batch, "train")

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.measure(batch, "val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.measure(batch, "test")

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self._log_values("train")

    def on_validation_epoch_end(self) -> None:
        self._log_values("val")

    def on_test_epoch_end(self) -> None:
        self._log_values("test")

    def on_train_end(self) -> None:
        self._verdicts.end(self)

    def _log_values(self, split: Split) -> None:
        """Once per epoch, from counts that all processes share."""
        shown = ("loss", *self.default_monitor.split("/")[1:])
        values, num_unanswered = self.split_values(split), self._take_unanswered()
        losses = {name: values[name] for name in self.losses_of(split).names() if name in values}
        if split == "train" and not losses:
            # All batches came before a resume, from a checkpoint that does not tell what they counted.
            return
        # It looks at a few batches only.
        if not self.trainer.sanity_checking:
            self._verdicts.judge(self, split, losses, self.counted_pairs(split), num_unanswered)
        for name, value in values.items():
            self.log(f"{self.log_name(split)}/{name}", value, prog_bar=name in shown, sync_dist=True)

    def split_values(self, split: Split) -> dict[str, float]:
        """The values of an epoch by name; counting begins anew."""
        # Counters that were made in inference mode, as validate has it, could not be added to by a later fit.
        with torch.inference_mode(False):
            counted = self.counted_names()
            return {name: value for part in self.parts_of(split) for name, value in part.take(counted).items()}

    def counted_pairs(self, split: Split) -> Tensor | None:
        """``[true, predicted]`` of the last epoch, on the CPU; None if the task has no such counts."""
        return next((part.pairs for part in self.scores_of(split).parts if part.pairs is not None), None)

    def why_nothing_counts(self) -> str:
        """The reason why a split has no counted picture."""
        return "it has none"

    def add_unanswered(self, pictures: Tensor | int) -> None:
        """Count predictions that are NaN, where no loss would show it."""
        self._unanswered = self._unanswered.to(self.device) + pictures

    def _take_unanswered(self) -> int:
        """Their number in all processes; counting begins anew."""
        counted = self.trainer.strategy.reduce(self._unanswered.to(self.device), reduce_op="sum")
        self._unanswered = torch.zeros((), dtype=torch.int64)
        return int(counted)
