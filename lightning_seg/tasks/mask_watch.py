"""What is measured of probabilities while pictures are predicted, band by band."""

from dataclasses import asdict

import torch
from torch import Tensor

from lightning_seg.inference.masks import MaskInference, WatchedMaskInference
from lightning_seg.metrics.calibration import Calibration
from lightning_seg.metrics.likelihood import Likelihood, add_up, mask_likelihood


class MaskWatch:
    """Sees the probabilities of a batch of pictures, at the size of their masks.

    Args:
        inference: how they are predicted. One of the user's own kind is left as it is, and not seen.
        mask: ``(B, H, W)`` int64.
        ignore_index: mask value that does not count.
        calibration: counts what is seen.
    """

    def __init__(
        self, inference: MaskInference, mask: Tensor, ignore_index: int, calibration: Calibration | None = None
    ) -> None:
        self.mask, self.ignored_label, self.calibration = mask, ignore_index, calibration
        self._parts: dict[int, list[Likelihood]] = {}
        own = type(inference) is not MaskInference
        self.inference = inference if own else WatchedMaskInference(**asdict(inference), watch=self._see)

    def _see(self, number: int, top: int, probs: Tensor, classes: Tensor) -> None:
        mask = self.mask[number : number + 1, top : top + classes.shape[0]].to(probs.device)
        probs = probs.unsqueeze(0)
        if self.calibration is not None:
            self.calibration.count(*probs.max(dim=1), mask)
        seen = mask_likelihood(probs, classes.unsqueeze(0), mask, self.ignored_label, are_logs=False)
        self._parts.setdefault(number, []).append(seen)

    @property
    def likelihood(self) -> Likelihood | None:
        """Of all pictures; None where the task predicts in a way of its own."""
        if len(self._parts) != len(self.mask):
            return None
        pictures = [add_up(self._parts[number]) for number in range(len(self.mask))]
        return Likelihood(*(torch.cat(values) for values in zip(*pictures, strict=True)))
