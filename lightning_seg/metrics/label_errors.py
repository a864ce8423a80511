"""Pictures whose masks or labels may be wrong, by what a network is sure of that has not seen them in training."""

from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.metrics.picture_scores import mean_picture_iou

QUARTER, ENOUGH = 0.25, 0.8
"""Share of the pictures of a class that may be less sure, and a probability that is enough in any case."""
SPREAD = 1.4826
"""Standard deviation of normal values by their median absolute deviation."""


class Suspicion(NamedTuple):
    """A label that may be wrong."""

    picture: int  # its position
    proposed: int  # the class that the network is sure of
    margin: float  # its probability minus that of the label


def sure_margin(probs: Tensor, labels: Tensor) -> float:
    """From which margin on a network is sure: half of that between the two likeliest classes where it is right.

    Networks that were trained for long are sure of everything, those that were not of little.
    """
    highest = probs.topk(2, dim=1).values
    right = probs.argmax(dim=1) == labels
    return 0.5 * (highest[right, 0] - highest[right, 1]).mean().item() if right.any() else 1.0


def suspected_labels(probs: Tensor, labels: Tensor, least: float) -> list[Suspicion]:
    """Confident learning (Northcutt et al. 2021): the most suspicious label first.

    A class counts for a picture if it is at least as likely as for a quarter of the pictures that have its label, or as
    ``ENOUGH``: thresholds of their own make up for classes of which a network is generally more or less sure. A label
    is suspected if classes count and the likeliest of them is another one. (The paper's threshold, the mean in place of
    the quarter, finds 54 instead of 75 of 100 wrong labels among 120 flowers, by a network that is right on 81 %.)

    Args:
        probs: ``(N, C)`` probabilities of pictures that the network was not trained on.
        labels: ``(N,)`` class indices.
        least: the lowest margin; what is below are doubts of the network rather than of the label; see ``sure_margin``.
    """
    confident = probs.where(probs >= _thresholds(probs, labels), -1)
    highest, proposed = confident.max(dim=1)
    margin = highest - probs.gather(1, labels.unsqueeze(1)).squeeze(1)
    found = ((proposed != labels) & (margin >= least)).nonzero().flatten()
    ordered = found[margin[found].argsort(descending=True, stable=True)].tolist()
    return [Suspicion(index, int(proposed[index]), float(margin[index])) for index in ordered]


def _thresholds(probs: Tensor, labels: Tensor) -> Tensor:
    """``(C,)``; infinite for a class that no picture has, so that none is taken for it."""
    of_class = (probs[labels == index, index] for index in range(probs.shape[1]))
    return torch.stack(
        [own.quantile(QUARTER).clamp(max=ENOUGH) if len(own) else own.new_tensor(inf) for own in of_class]
    )


class Disagreement(NamedTuple):
    """How far masks and predictions of a batch lie apart; each ``(B,)``, NaN where no pixel counts."""

    score: Tensor  # (1 - iou) * confidence: high where the network is sure that much of a mask is wrong
    iou: Tensor  # the mean over the classes of the mask
    confidence: Tensor  # mean probability of the predicted classes over the pixels that differ; 0 where none does


def mask_disagreement(probs: Tensor, mask: Tensor, ignore_index: int = IGNORE_INDEX) -> Disagreement:
    """Probabilities ``(B, C, H, W)`` against class indices ``(B, H, W)``.

    A network is unsure of contours and of what it has not learned, and differs there from masks that are right. Masks
    that are wrong differ where it is sure.
    """
    highest, predicted = probs.max(dim=1)
    iou = mean_picture_iou(predicted, mask, probs.shape[1], ignore_index)
    differs = (predicted != mask) & (mask != ignore_index)
    number = differs.sum(dim=(1, 2))
    confidence = (highest * differs).sum(dim=(1, 2)) / number.clamp(min=1)
    return Disagreement((1 - iou) * confidence, iou, confidence)


def far_out(scores: Tensor, deviations: float = 3.0, least: int = 8) -> list[int]:
    """Positions of scores that lie far above the others, the highest first.

    Args:
        scores: ``(N,)``; NaN counts for nothing.
        deviations: how many standard deviations above the median; both are robust, so outliers do not hide each other.
        least: the number of scores from which on anything can be said.
    """
    known = scores[~scores.isnan()]
    if len(known) < least:
        return []
    middle = known.median()
    limit = middle + deviations * SPREAD * (known - middle).abs().median()
    found = (scores > limit).nonzero().flatten()
    return [int(index) for index in found[scores[found].argsort(descending=True, stable=True)]]
