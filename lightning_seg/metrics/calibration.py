"""Whether probabilities mean what they say: how often answers of each confidence are right."""

from math import pi, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_seg.metrics.counting import count_cells

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
    cells = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    if counted is not None:
        cells = cells.masked_fill(~counted, bins)
    is_right = answer == truth
    sums = torch.zeros(bins + 1, dtype=torch.float64, device=probs.device)
    sums.scatter_add_(0, cells.flatten(), confidence.double().flatten())
    answers, right = count_cells(cells, bins + 1), count_cells(cells.masked_fill(~is_right, bins), bins + 1)
    return Reliability(answers[:bins].cpu(), right[:bins].cpu(), sums[:bins].cpu())


def together(first: Reliability, second: Reliability) -> Reliability:
    """The counts of both."""
    return Reliability(*(one + other for one, other in zip(first, second, strict=True)))


def calibration_error(counts: Reliability) -> float:
    """The expected calibration error, in [0, 1]: how far confidence and share of right answers lie apart, averaged over
    the answers. 0.1 means that of answers called 0.9 sure about 80 or about 100 in 100 are right.
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
