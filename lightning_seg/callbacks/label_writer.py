"""Predicted classes as a table and as lines."""

from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.callbacks.prediction_writer import NO_NUMBER, PredictionWriter
from lightning_seg.prediction_files import LabelFiles


class LabelWriter(PredictionWriter):
    """Writes a row of the table for every picture and prints a line about it; see ``LabelFiles``.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet of the most uncertain ones; 0 draws none.
    """

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12) -> None:
        self.label_files = LabelFiles(output, num_uncertain, no_number=NO_NUMBER)
        super().__init__(self.label_files)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # What predict is asked for is known by now.
        self.label_files.has_cams = getattr(getattr(pl_module, "inference", None), "cam", False)
        super().on_predict_start(trainer, pl_module)
