"""Metrics: counts over a split and over all processes, and the values computed from them."""

from lightning_seg.metrics.mean_loss import MeanLoss
from lightning_seg.metrics.parts import MetricPart
from lightning_seg.metrics.scores import SplitScores
from lightning_seg.metrics.segmentation import SegmentationMetrics, summarize

__all__ = ["MeanLoss", "MetricPart", "SegmentationMetrics", "SplitScores", "summarize"]
