"""LightningModules: model, loss, metrics and optimiser in one."""

from lightning_seg.tasks.mobilenetv2_unet import MobileNetV2UNetTask

__all__ = ["MobileNetV2UNetTask"]
