"""Losses: cross-entropy, overlap and others, from logits and labels."""

from lightning_seg.losses.segmentation import SegmentationLoss, dice_loss

__all__ = ["SegmentationLoss", "dice_loss"]
