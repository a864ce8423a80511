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
    """Logits ``(B, C, ...)`` to the logarithms of probabilities; of one logit those of both classes."""
    logits = logits.float()
    if logits.shape[1] > 1:
        return logits.log_softmax(dim=1)
    return torch.cat([F.logsigmoid(-logits), F.logsigmoid(logits)], dim=1)


def logs_of(probs: Tensor) -> Tensor:
    """The logarithms of probabilities; of 0 that of the smallest number, which a mean survives."""
    return probs.float().clamp(min=torch.finfo(torch.float32).tiny).log()


def label_likelihood(log_probs: Tensor, label: Tensor) -> Likelihood:
    """Logarithms ``(B, C)`` and labels ``(B,)`` int64 or ``(B, C)`` float."""
    shares = label.to(log_probs) if label.ndim == 2 else F.one_hot(label, log_probs.shape[1]).to(log_probs)
    # Logarithms of classes without a share may be infinite.
    cost = -(shares * log_probs).where(shares > 0, 0).sum(dim=1)
    return Likelihood(log_probs.max(dim=1).values.exp(), cost, torch.ones_like(cost))


def mask_likelihood(log_probs: Tensor, prediction: Tensor, mask: Tensor, ignore_index: int) -> Likelihood:
    """Logarithms ``(B, C, H, W)``, and class indices ``(B, H, W)`` of predictions and masks.

    Summed in double precision: large pictures have more pixels than a float counts.
    """
    counted = mask != ignore_index
    chosen = log_probs.gather(1, prediction.unsqueeze(1)).squeeze(1).exp()
    true = log_probs.gather(1, mask.masked_fill(~counted, 0).unsqueeze(1)).squeeze(1)
    chosen, cost = (values.where(counted, 0).flatten(1).sum(dim=1, dtype=torch.float64) for values in (chosen, -true))
    return Likelihood(chosen, cost, counted.flatten(1).sum(dim=1))
