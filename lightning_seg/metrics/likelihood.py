"""How likely a network calls its own answers, and the true ones, in each picture."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Likelihood(NamedTuple):
    """Sums over what counts in each picture, each ``(B,)``: those of its parts add up."""

    chosen: Tensor  # probabilities of the predicted classes
    cost: Tensor  # cross-entropy in nats, without label smoothing and weights
    counted: Tensor  # pixels, or one label

    @property
    def probability(self) -> Tensor:
        """The mean probability of the predicted classes; NaN where nothing counts."""
        return self.chosen / self.counted

    @property
    def loss(self) -> Tensor:
        """The mean cross-entropy; NaN where nothing counts."""
        return self.cost / self.counted


def add_up(parts: Sequence[Likelihood]) -> Likelihood:
    """The sums of a picture from those of its parts."""
    return Likelihood(*(torch.stack(values).sum(dim=0) for values in zip(*parts, strict=True)))


def log_probs_of(logits: Tensor) -> Tensor:
    """Logits ``(B, C, ...)`` to the logarithms of probabilities; of one logit those of both classes.

    Examples:
        >>> log_probs_of(torch.zeros(1, 1)).exp().tolist()  # one logit of 0
        [[0.5, 0.5]]
    """
    logits = logits.float()
    if logits.shape[1] > 1:
        return logits.log_softmax(dim=1)
    return torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=1)


def logs_of(probs: Tensor) -> Tensor:
    """The logarithms of probabilities; of 0 that of the smallest number, which a mean survives."""
    return probs.float().clamp(min=torch.finfo(torch.float32).tiny).log()


def label_likelihood(log_probs: Tensor, label: Tensor) -> Likelihood:
    """Logarithms ``(B, C)`` and labels ``(B,)`` int64 or ``(B, C)`` float.

    Examples:
        >>> said = label_likelihood(torch.tensor([[0.75, 0.25]]).log(), torch.tensor([1]))
        >>> said.probability.item(), round(said.loss.item(), 4)  # of the predicted class; -ln 0.25
        (0.75, 1.3863)
    """
    if label.ndim == 1:
        cost = -log_probs.gather(1, label.unsqueeze(1)).squeeze(1)
    else:
        # Logarithms of classes without a share may be infinite.
        cost = -(label * log_probs).where(label > 0, 0).sum(dim=1)
    return Likelihood(log_probs.max(dim=1).values.exp(), cost, torch.ones_like(cost))


def mask_likelihood(
    probs: Tensor, prediction: Tensor, mask: Tensor, ignore_index: int, are_logs: bool = True
) -> Likelihood:
    """Of the pixels that count.

    Summed in double precision: large pictures have more pixels than a float counts.

    Args:
        probs: ``(B, C, H, W)`` probabilities, or their logarithms.
        prediction: ``(B, H, W)`` class indices.
        mask: likewise.
        ignore_index: mask value that does not count.
        are_logs: which of both they are.
    """
    counted = mask != ignore_index
    chosen = probs.gather(1, prediction.unsqueeze(1)).squeeze(1)
    true = probs.gather(1, mask.masked_fill(~counted, 0).unsqueeze(1)).squeeze(1)
    # Not before: of all classes it takes as much memory as the probabilities.
    chosen, cost = (chosen.exp(), -true) if are_logs else (chosen, -logs_of(true))
    chosen, cost = (values.where(counted, 0).flatten(1).sum(dim=1, dtype=torch.float64) for values in (chosen, cost))
    return Likelihood(chosen, cost, counted.flatten(1).sum(dim=1))
