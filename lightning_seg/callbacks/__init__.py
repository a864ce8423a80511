"""Lightning callbacks and loggers of this package: they draw, write or switch something."""

from collections.abc import Callable
from pathlib import Path

from lightning_seg.batch import BoxPrediction, LabelPrediction, MaskPrediction
from lightning_seg.callbacks.box_writer import BoxWriter
from lightning_seg.callbacks.compile import Compile
from lightning_seg.callbacks.confusion_matrix_plots import ConfusionMatrixPlots
from lightning_seg.callbacks.data_wait import DataWait
from lightning_seg.callbacks.label_writer import LabelWriter
from lightning_seg.callbacks.mask_writer import MaskWriter
from lightning_seg.callbacks.matmul_precision import MatmulPrecision
from lightning_seg.callbacks.picture_scores import PictureScoreWriter
from lightning_seg.callbacks.pixel_confusion import PixelConfusionWriter
from lightning_seg.callbacks.prediction_samples import PredictionSamples
from lightning_seg.callbacks.prediction_writer import PredictionWriter
from lightning_seg.callbacks.reliability_plots import ReliabilityPlots
from lightning_seg.callbacks.run_record import RunRecord
from lightning_seg.callbacks.split_plots import SplitPlots
from lightning_seg.callbacks.stochastic_weight_average import StochasticWeightAverage
from lightning_seg.callbacks.threshold_plots import ThresholdPlots
from lightning_seg.callbacks.weight_average import WeightAverage

WRITERS: dict[type, Callable[[Path], PredictionWriter]] = {
    MaskPrediction: MaskWriter,
    LabelPrediction: LabelWriter,
    BoxPrediction: BoxWriter,
}
"""What writes each kind of prediction."""

__all__ = [
    "WRITERS",
    "BoxWriter",
    "Compile",
    "ConfusionMatrixPlots",
    "DataWait",
    "LabelWriter",
    "MaskWriter",
    "MatmulPrecision",
    "PictureScoreWriter",
    "PixelConfusionWriter",
    "PredictionSamples",
    "PredictionWriter",
    "ReliabilityPlots",
    "RunRecord",
    "SplitPlots",
    "StochasticWeightAverage",
    "ThresholdPlots",
    "WeightAverage",
]
