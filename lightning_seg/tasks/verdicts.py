"""Verdicts about a training, from the values of an epoch."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Protocol

import pytorch_lightning as pl
from torch import Tensor

from lightning_seg.batch import Split
from lightning_seg.errors import TrainingError, UserError
from lightning_seg.tasks.health import PATIENCE, Monotony, only_answer
from lightning_seg.tasks.watched import warn

SPLIT_NAMES: Mapping[Split, str] = {"train": "training", "val": "validation", "test": "test"}


class Judged(Protocol):
    """A task whose epochs are judged."""

    is_validated: bool

    @property
    def trainer(self) -> pl.Trainer: ...

    @property
    def current_epoch(self) -> int: ...

    def report(self, kind: str, error: UserError) -> None: ...

    def gone_wrong(self, problem: str) -> TrainingError: ...

    def known_class_names(self) -> tuple[str, ...]: ...

    def why_nothing_counts(self) -> str: ...


class Verdicts:
    """Judges one epoch after another. All processes have the same values, so they reach the same verdict."""

    def __init__(self) -> None:
        self.monotony = Monotony()
        self.has_warned = False

    def judge(
        self,
        task: Judged,
        split: Split,
        losses: Mapping[str, float],
        matrix: Tensor | None,
        num_unanswered: int,
    ) -> None:
        """Judge an epoch of a split.

        Args:
            task: that was trained or measured.
            split: its pictures.
            losses: the means by name.
            matrix: counts ``[true, predicted]``; None if the task has no such counts.
            num_unanswered: pictures of all processes for which the network's answer was no number.

        Raises:
            TrainingError: if the values mean nothing and ``on_nan`` is ``stop``.
        """
        measures = matrix is None or bool(matrix.any())
        bad = _values_without_numbers(split, losses, num_unanswered)
        if split == "val":
            task.is_validated = measures and not bad
        if not measures:
            task.report(f"nothing in {split}", _nothing_measured(task, split))
            return
        # What training has lost is known by its step already.
        if bad and split != "train":
            task.report(f"values of {split}", _measured_no_numbers(task, bad))
        if matrix is None or bad:
            return
        if task.trainer.state.fn != "fit":
            _say_monotonous(task, f"in the {SPLIT_NAMES[split]} split", only_answer(matrix))
        elif split == "val":
            self.monotony.add(matrix)
            self._say_once(task, PATIENCE)

    def end(self, task: Judged) -> None:
        """At the end of training, warn of what is still waiting for ``PATIENCE``."""
        self._say_once(task, 1)

    def _say_once(self, task: Judged, times: int) -> None:
        if self.monotony.times < times or self.has_warned:
            return
        self.has_warned = True
        times = self.monotony.times
        where = "in the last validation" if times == 1 else f"in the last {times} validations"
        _say_monotonous(task, where, self.monotony.answer)


def _values_without_numbers(split: Split, losses: Mapping[str, float], num_unanswered: int) -> list[str]:
    bad = [f"{split}/{name} is {value}" for name, value in losses.items() if not isfinite(value)]
    if num_unanswered:
        bad.append(f"the network's answer to {num_unanswered} pictures of the {SPLIT_NAMES[split]} split is no number")
    return bad


def _measured_no_numbers(task: Judged, bad: Sequence[str]) -> TrainingError:
    problem = f"{' and '.join(bad)}, while the weights are numbers"
    if task.trainer.state.fn == "fit":
        return task.gone_wrong(f"{problem}, in epoch {task.current_epoch}")
    return TrainingError(f"{problem}; give --trainer.precision 32-true, or look for broken pictures")


def _nothing_measured(task: Judged, split: Split) -> TrainingError:
    consequence = {
        "train": "nothing can be learned",
        "val": "the best checkpoint cannot be chosen",
        "test": "nothing is measured",
    }[split]
    return TrainingError(
        f"no picture of the {SPLIT_NAMES[split]} split counts, since {task.why_nothing_counts()}, so {consequence}; "
        "mend its files, or give another split"
    )


def _say_monotonous(task: Judged, where: str, answer: int | None) -> None:
    if answer is None:
        return
    names: Sequence[str] = task.known_class_names()
    warn(
        f"{where} everything is predicted as {names[answer]}, though more classes are true, so the metrics are those "
        "of one answer for all; give another --model.lr, --model.class_weights auto where classes are rare, or look "
        "whether labels and pictures belong together"
    )
