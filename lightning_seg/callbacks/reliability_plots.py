"""Figures of calibration."""

import pytorch_lightning as pl
from matplotlib.figure import Figure

from lightning_seg.batch import Split
from lightning_seg.callbacks.split_plots import SplitPlots
from lightning_seg.metrics.calibration import Calibration, calibration_error
from lightning_seg.plots.reliability import draw_reliability


class ReliabilityPlots(SplitPlots[Calibration]):
    """Draws ``reliability_test.png``: how often answers of each confidence are right.

    After a test alone: it is about the trained network. At the original size it is ``reliability_test_full.png``.
    """

    name = "reliability"
    part = Calibration

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws nothing."""

    def draw(self, part: Calibration, class_names: tuple[str, ...], split: Split) -> Figure | None:
        counts = part.reliability
        if counts is None:
            return None
        title = f"{split} split, {counts.answers.sum():,} {part.unit}: ece {calibration_error(counts):.4f}"
        return draw_reliability(*counts, title=title, unit=part.unit)
