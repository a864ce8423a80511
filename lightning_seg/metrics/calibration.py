"""Whether probabilities mean what they say: how often answers of each confidence are right."""

from collections.abc import Sequence
from math import pi, sqrt
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_seg.metrics.counting import count_cells, sum_cells
from lightning_seg.metrics.parts import MetricPart, Values

BINS = 15
"""Bins of equal width, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""


class Reliability(NamedTuple):
    """Counts by confidence, from the lowest bin to the highest: two of these add up to that of both."""

    answers: Tensor  # (bins,) int64
    right: Tensor  # (bins,) int64: those of them that are true
    confidence: Tensor  # (bins,) float64: the sum of their confidences


def no_answers(bins: int = BINS) -> Reliability:
    """To begin counting with."""
    none = torch.zeros(bins, dtype=torch.int64)
    return Reliability(none, none, none.double())


def count_answers(probs: Tensor, truth: Tensor, counted: Tensor | None = None, bins: int = BINS) -> Reliability:
    """The answers of a batch, on the CPU: a picture each, or a pixel each.

    Args:
        probs: ``(B, C, ...)`` probabilities; the highest one is the confidence of an answer.
        truth: ``(B, ...)`` class indices.
        counted: ``(B, ...)`` bool: which answers count; None counts all.
        bins: their number; a confidence on an edge belongs to the bin below it.
    """
    confidence, answer = probs.max(dim=1)
    return Reliability(*(values.cpu() for values in count_sureness(confidence, answer == truth, counted, bins)))


def count_sureness(
    confidence: Tensor, is_right: Tensor, counted: Tensor | None = None, bins: int = BINS
) -> Reliability:
    """The same, where the answers are: nothing waits for a device.

    Args:
        confidence: ``(B, ...)``, of the answers.
        is_right: ``(B, ...)`` bool: which of them are true.
        counted: ``(B, ...)`` bool: which answers count; None counts all.
        bins: their number.
    """
    cells = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    if counted is not None:
        cells = cells.masked_fill(~counted, bins)
    counts = count_cells(2 * cells + is_right, 2 * bins + 2).view(-1, 2)[:bins]
    return Reliability(counts.sum(dim=1), counts[:, 1], sum_cells(cells, bins + 1, confidence)[:bins])


def together(first: Reliability, second: Reliability) -> Reliability:
    """The counts of both.

    Examples:
        >>> one = count_answers(torch.tensor([[0.75, 0.25]]), torch.tensor([0]), bins=2)
        >>> together(one, one).answers.tolist()
        [0, 2]
    """
    return Reliability(*(one + other for one, other in zip(first, second, strict=True)))


def calibration_error(counts: Reliability) -> float:
    """The expected calibration error, in [0, 1]: how far confidence and share of right answers lie apart, averaged over
    the answers. 0.1 means that of answers called 0.9 sure about 80 or about 100 in 100 are right.

    Examples:
        Two answers are 0.75 sure, and one of them is right.

        >>> counts = count_answers(torch.tensor([[0.75, 0.25], [0.25, 0.75]]), torch.tensor([0, 0]))
        >>> calibration_error(counts)
        0.25
    """
    return ((counts.confidence - counts.right).abs().sum() / counts.answers.sum()).item()


def overconfidence(counts: Reliability) -> float:
    """Mean confidence minus the share of right answers: above 0 the network is too sure of itself."""
    return ((counts.confidence.sum() - counts.right.sum()) / counts.answers.sum()).item()


def error_by_chance(counts: Reliability, samples: int) -> float:
    """The expected calibration error that a perfectly calibrated network shows, since it is measured on few samples.

    In a bin with n samples of mean confidence p the share of right ones varies by sqrt(p (1 - p) / n).

    Args:
        counts: of the answers.
        samples: how many independent ones there are. Pixels of one picture are not: give the number of pictures.
    """
    seen = counts.answers > 0
    answers, p = counts.answers[seen].double(), (counts.confidence[seen] / counts.answers[seen]).clamp(0, 1)
    share = answers / answers.sum()
    # The mean of the absolute value of a normal variable is sqrt(2 / pi) of its deviation.
    return (sqrt(2 / pi / samples) * (share * p * (1 - p)).sqrt().sum()).item()


def as_rows(counts: Reliability) -> list[dict[str, float]]:
    """The bins with answers, for tables and plots: upper edge, answers, mean confidence, share of right ones."""
    bins = len(counts.answers)
    return [
        {
            "up_to": round((index + 1) / bins, 4),
            "answers": number,
            "confidence": total / number,
            "accuracy": right / number,
        }
        for index, (number, right, total) in enumerate(zip(*(one.tolist() for one in counts), strict=True))
        if number
    ]


class Calibration(MetricPart):
    """``ece``, the expected calibration error of the likeliest classes: of each picture, or of each pixel that counts.

    It counts what ``SplitScores.update`` is told of probabilities; where it is told of none, there is no value.

    Args:
        ignore_index: of masks, the value that does not count; None for labels.
    """

    higher_is_better = False
    takes_probs = True
    answers: Tensor
    right: Tensor
    confidence: Tensor
    reliability: Reliability | None = None
    """Of the last epoch, on the CPU; None without an answer."""

    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        self.ignored_label = ignore_index
        for name, counts in no_answers()._asdict().items():
            self.add_state(name, counts.clone(), dist_reduce_fx="sum")

    @property
    def unit(self) -> str:
        """What an answer is about."""
        return "pictures" if self.ignored_label is None else "pixels"

    def update(self, *counted: Any, log_probs: Tensor | None = None) -> None:
        """Of what the parts of a task count the second is true: ``(B,)``, shares ``(B, C)``, or masks ``(B, H, W)``."""
        if log_probs is not None:
            highest, answer = log_probs.max(dim=1)
            self.count(highest.exp(), answer, counted[1])

    def count(self, confidence: Tensor, answer: Tensor, truth: Tensor) -> None:
        """Probabilities ``(B, ...)`` of the likeliest classes, these and the true ones, or shares ``(B, C)``."""
        if truth.is_floating_point():
            truth = truth.argmax(dim=1)
        kept = None if self.ignored_label is None else truth != self.ignored_label
        fresh = count_sureness(confidence, answer == truth, kept)
        self.answers += fresh.answers
        self.right += fresh.right
        self.confidence += fresh.confidence

    def compute(self, class_names: Sequence[str] = ()) -> Values:
        counts = self._counts()
        self.reliability = counts if counts.answers.sum() else None
        return super().compute(class_names)

    def values(self, class_names: Sequence[str]) -> Values:
        counts = self._counts()
        return {"ece": calibration_error(counts) if counts.answers.sum() else None}

    def _counts(self) -> Reliability:
        return Reliability(self.answers.cpu(), self.right.cpu(), self.confidence.cpu())
