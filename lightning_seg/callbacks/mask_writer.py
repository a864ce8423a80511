"""Predicted masks as files."""

from pathlib import Path

from lightning_seg.callbacks.prediction_writer import NO_NUMBER, PredictionWriter
from lightning_seg.prediction_files import MaskFiles


class MaskWriter(PredictionWriter):
    """Writes a mask, an overlay and a row of the table for every picture; see ``MaskFiles``.

    Args:
        output: folder.
        num_uncertain: pictures on the sheet of the most uncertain ones; 0 draws none.
    """

    def __init__(self, output: str | Path = "predictions", num_uncertain: int = 12) -> None:
        super().__init__(MaskFiles(output, num_uncertain, no_number=NO_NUMBER))
