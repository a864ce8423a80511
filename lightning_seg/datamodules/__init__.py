"""Splits and loaders."""

from lightning_seg.datamodules.carvana import CarvanaDataModule
from lightning_seg.datamodules.image_mask_folder import ImageMaskFolderDataModule
from lightning_seg.datamodules.oxford_pets import OxfordPetsDataModule

__all__ = ["CarvanaDataModule", "ImageMaskFolderDataModule", "OxfordPetsDataModule"]
