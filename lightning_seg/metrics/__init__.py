"""Metrics: counts over a split and over all processes, and the values computed from them."""

from lightning_seg.metrics.mean_loss import MeanLoss
from lightning_seg.metrics.scores import SegmentationScores
from lightning_seg.metrics.segmentation import SegmentationMetrics, metric_names, summarize

__all__ = ["MeanLoss", "SegmentationMetrics", "SegmentationScores", "metric_names", "summarize"]
