"""Predicted masks as files."""

from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.callbacks.prediction_writer import NO_NUMBER, PredictionWriter
from lightning_seg.callbacks.split_plots import class_names
from lightning_seg.prediction_files import MaskFiles
from lightning_seg.prediction_files.masks import check_format


class MaskWriter(PredictionWriter):
    """Writes a mask, an overlay and a row of the table for every picture; see ``MaskFiles``.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet of the most uncertain ones; 0 draws none.
    """

    files: MaskFiles

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12) -> None:
        super().__init__(MaskFiles(output, num_uncertain, no_number=NO_NUMBER))

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Modules of the user's own have neither.
        asked = getattr(getattr(pl_module, "inference", None), "mask_format", self.files.mask_format)
        self.files.mask_format, self.files.encoding = asked, getattr(pl_module, "mask_encoding", None)
        check_format(asked, self.files.encoding, len(class_names(pl_module)), trainer.ckpt_path or "the run")
        super().on_predict_start(trainer, pl_module)
