"""Searches before a training: for a learning rate, and for a batch size."""

from lightning_seg.tuning.batch_size import Trial, largest_batch
from lightning_seg.tuning.rates import RateSweep, Sweep

__all__ = ["RateSweep", "Sweep", "Trial", "largest_batch"]
