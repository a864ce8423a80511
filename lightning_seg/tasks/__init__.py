"""LightningModules: model, loss, metrics and optimiser in one."""

from lightning_seg.tasks.mobilenetv2_unet import MobileNetV2UNetTask
from lightning_seg.tasks.smp import SmpTask

__all__ = ["MobileNetV2UNetTask", "SmpTask"]
