"""Tasks whose three stages count losses and scores, and log them once per epoch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from lightning_seg.batch import Split
from lightning_seg.memory import keep_freed_memory
from lightning_seg.metrics.split_losses import SplitLosses
from lightning_seg.tasks.predicting import PredictingTask
from lightning_seg.tasks.verdicts import Verdicts

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Scores(Protocol):
    """The counts of a split, besides losses."""

    def take(self, class_names: Sequence[str]) -> dict[str, float]: ...

    def names(self, class_names: Sequence[str]) -> list[str]: ...


class CountingTask(PredictingTask, ABC):
    """A subclass says what a batch costs, and counts it with ``losses_of`` and ``scores_of``."""

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
        self.losses = nn.ModuleDict({f"{split}_": SplitLosses(loss.weights) for split in SPLITS})

    def count(self, parts: Mapping[str, float], scores: Mapping[Split, nn.Module]) -> None:
        """Set up the counts of the loss, whose parts have these weights, and of each split these ``Scores``."""
        # torch's ModuleDict refuses the key "train".
        self.losses = nn.ModuleDict({f"{split}_": SplitLosses(parts) for split in SPLITS})
        self.scores = nn.ModuleDict({f"{split}_": kept for split, kept in scores.items()})

    def losses_of(self, split: Split) -> SplitLosses:
        losses = self.losses[f"{split}_"]
        assert isinstance(losses, SplitLosses)
        return losses

    def scores_of(self, split: Split) -> Scores:
        return cast(Scores, self.scores[f"{split}_"])

    def metric_names(self) -> list[str]:
        names = self.known_class_names()
        return [
            f"{split}/{name}"
            for split in SPLITS[:2]
            for name in (*self.losses_of(split).names, *self.scores_of(split).names(names))
        ]

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
        losses = {name: values[name] for name in self.losses_of(split).names if name in values}
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
            return {**self.losses_of(split).take(), **self.scores_of(split).take(self.known_class_names())}

    def counted_pairs(self, split: Split) -> Tensor | None:
        """``[true, predicted]`` of the last epoch, on the CPU; None if the task has no such counts."""
        return None

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
