"""LightningModules: model, loss, metrics and optimiser in one."""

from lightning_seg.tasks.cnn_classifier import CNNClassifierTask
from lightning_seg.tasks.mobilenetv2_unet import MobileNetV2UNetTask
from lightning_seg.tasks.sliding_detector import SlidingDetectorTask
from lightning_seg.tasks.smp import SmpTask
from lightning_seg.tasks.timm_classifier import TimmClassifierTask
from lightning_seg.tasks.unet import UNetTask

__all__ = [
    "CNNClassifierTask",
    "MobileNetV2UNetTask",
    "SlidingDetectorTask",
    "SmpTask",
    "TimmClassifierTask",
    "UNetTask",
]
