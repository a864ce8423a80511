"""Losses of logits and labels: cross-entropy, overlap and others."""

from lightning_seg.losses.segmentation import SegmentationLoss, dice_loss

__all__ = ["SegmentationLoss", "dice_loss"]
