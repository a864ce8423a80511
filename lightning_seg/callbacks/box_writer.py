"""Detected objects as files."""

from pathlib import Path

from lightning_seg.callbacks.prediction_writer import NO_NUMBER, PredictionWriter
from lightning_seg.prediction_files import BoxFiles


class BoxWriter(PredictionWriter):
    """Writes the objects of every picture, and prints the classes of its windows; see ``BoxFiles``.

    Args:
        output: folder.
    """

    def __init__(self, output: str | Path = "predictions") -> None:
        super().__init__(BoxFiles(output, no_number=NO_NUMBER))
