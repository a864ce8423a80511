"""Losses of segmentation: cross-entropy, and soft Dice where the libraries' is wrong for absent classes."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.batch import IGNORE_INDEX


def dice_loss(logits: Tensor, mask: Tensor, ignore_index: int = IGNORE_INDEX, smooth: float = 1.0) -> Tensor:
    """One minus the soft Dice of every class in every picture, averaged over both.

    A class that a picture does not show counts too, so that false alarms cost; each picture counts alike, whatever the
    batch it lies in.

    Source: Milletari et al., "V-Net", 2016.

    Args:
        logits: ``(B, C, H, W)`` before softmax.
        mask: ``(B, H, W)`` class indices.
        ignore_index: pixels with this value take no part.
        smooth: added to both sides of the fraction, in pixels.

    Returns:
        A scalar in [0, 1).
    """
    counted = (mask != ignore_index).unsqueeze(1)
    probs = logits.softmax(dim=1) * counted
    classes = torch.arange(logits.shape[1], device=logits.device).view(1, -1, 1, 1)
    present = (mask.unsqueeze(1) == classes) & counted
    shared = (probs * present).sum(dim=(2, 3))
    total = probs.sum(dim=(2, 3)) + present.sum(dim=(2, 3))
    return 1 - ((2 * shared + smooth) / (total + smooth)).mean()


class SegmentationLoss(nn.Module):
    """``ce_weight`` times cross-entropy plus ``dice_weight`` times soft Dice, from logits and class indices."""

    def __init__(
        self,
        ce_weight: float = 1.0,
        dice_weight: float = 0.0,
        label_smoothing: float = 0.0,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__()
        self.ce_weight, self.dice_weight = ce_weight, dice_weight
        self.label_smoothing, self.ignore_index = label_smoothing, ignore_index

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """``(B, C, H, W)`` float and ``(B, H, W)`` int64 to a scalar."""
        summed = F.cross_entropy(
            logits, mask, ignore_index=self.ignore_index, label_smoothing=self.label_smoothing, reduction="sum"
        )
        # Torch's own mean is not a number where every pixel is ignored.
        loss = self.ce_weight * summed / (mask != self.ignore_index).sum().clamp(min=1)
        if self.dice_weight:
            loss = loss + self.dice_weight * dice_loss(logits, mask, self.ignore_index)
        return loss
