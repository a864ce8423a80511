"""Datamodules: splits, loaders and downloads."""

from lightning_seg.datamodules.carvana import CarvanaDataModule
from lightning_seg.datamodules.coco_objects import CocoObjectsDataModule
from lightning_seg.datamodules.flowers import FlowersDataModule
from lightning_seg.datamodules.image_folder import ImageFolderDataModule
from lightning_seg.datamodules.image_mask_folder import ImageMaskFolderDataModule
from lightning_seg.datamodules.oxford_pets import OxfordPetsDataModule
from lightning_seg.datamodules.pet_labels import OxfordPetLabelsDataModule
from lightning_seg.datamodules.pictures import PicturesDataModule
from lightning_seg.datamodules.stanford_dogs import StanfordDogsDataModule

__all__ = [
    "CarvanaDataModule",
    "CocoObjectsDataModule",
    "FlowersDataModule",
    "ImageFolderDataModule",
    "ImageMaskFolderDataModule",
    "OxfordPetLabelsDataModule",
    "OxfordPetsDataModule",
    "PicturesDataModule",
    "StanfordDogsDataModule",
]
