"""Splits and loaders."""

from lightning_seg.datamodules.oxford_pets import OxfordPetsDataModule

__all__ = ["OxfordPetsDataModule"]
