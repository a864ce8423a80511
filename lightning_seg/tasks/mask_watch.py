"""What is measured of probabilities while pictures are predicted, band by band."""

from dataclasses import asdict

import torch
from torch import Tensor

from lightning_seg.inference.masks import MaskInference, WatchedMaskInference
from lightning_seg.metrics.likelihood import Likelihood, add_up, logs_of, mask_likelihood


class MaskWatch:
    """Sees the probabilities of a batch of pictures, at the size of their masks.

    Args:
        inference: how they are predicted. One of the user's own kind is left as it is, and not seen.
        mask: ``(B, H, W)`` int64.
        ignore_index: mask value that does not count.
    """

    def __init__(self, inference: MaskInference, mask: Tensor, ignore_index: int) -> None:
        self.mask, self.ignored_label = mask, ignore_index
        self._parts: dict[int, list[Likelihood]] = {}
        own = type(inference) is not MaskInference
        self.inference = inference if own else WatchedMaskInference(**asdict(inference), watch=self._see)

    def _see(self, number: int, top: int, probs: Tensor, classes: Tensor) -> None:
        mask = self.mask[number : number + 1, top : top + classes.shape[0]].to(probs.device)
        seen = mask_likelihood(logs_of(probs).unsqueeze(0), classes.unsqueeze(0), mask, self.ignored_label)
        self._parts.setdefault(number, []).append(seen)

    @property
    def likelihood(self) -> Likelihood | None:
        """Of all pictures; None where the task predicts in a way of its own."""
        if len(self._parts) != len(self.mask):
            return None
        pictures = [add_up(self._parts[number]) for number in range(len(self.mask))]
        return Likelihood(*(torch.cat(values) for values in zip(*pictures, strict=True)))
