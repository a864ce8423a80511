"""The files and rows of predictions, from arrays: whoever predicts writes the same, with torch or without."""

from lightning_seg.prediction_files.boxes import BoxFiles
from lightning_seg.prediction_files.folder import SOME_UNREADABLE, Pictured, PredictionFiles, Row, what_is_done
from lightning_seg.prediction_files.labels import LabelFiles
from lightning_seg.prediction_files.masks import MaskFiles

__all__ = [
    "SOME_UNREADABLE",
    "BoxFiles",
    "LabelFiles",
    "MaskFiles",
    "Pictured",
    "PredictionFiles",
    "Row",
    "what_is_done",
]
