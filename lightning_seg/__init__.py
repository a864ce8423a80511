"""Train, compare and apply models for image segmentation, classification and sliding-window detection."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_seg.checkpoint_io import WholeCheckpointIO as WholeCheckpointIO
    from lightning_seg.datamodules import CarvanaDataModule as CarvanaDataModule
    from lightning_seg.datamodules import CocoObjectsDataModule as CocoObjectsDataModule
    from lightning_seg.datamodules import FlowersDataModule as FlowersDataModule
    from lightning_seg.datamodules import ImageFolderDataModule as ImageFolderDataModule
    from lightning_seg.datamodules import ImageMaskFolderDataModule as ImageMaskFolderDataModule
    from lightning_seg.datamodules import OxfordPetLabelsDataModule as OxfordPetLabelsDataModule
    from lightning_seg.datamodules import OxfordPetsDataModule as OxfordPetsDataModule
    from lightning_seg.datamodules import PicturesDataModule as PicturesDataModule
    from lightning_seg.datamodules import StanfordDogsDataModule as StanfordDogsDataModule
    from lightning_seg.predictor import Predictor as Predictor
    from lightning_seg.tasks import CNNClassifierTask as CNNClassifierTask
    from lightning_seg.tasks import MobileNetV2UNetTask as MobileNetV2UNetTask
    from lightning_seg.tasks import SlidingDetectorTask as SlidingDetectorTask
    from lightning_seg.tasks import SmpTask as SmpTask
    from lightning_seg.tasks import TimmClassifierTask as TimmClassifierTask
    from lightning_seg.tasks import UNetTask as UNetTask

__version__ = "0.1.0"

# Loaded on first use, so that "import lightning_seg" and "--help" stay quick.
_HOME = {
    "CNNClassifierTask": "lightning_seg.tasks",
    "CarvanaDataModule": "lightning_seg.datamodules",
    "CocoObjectsDataModule": "lightning_seg.datamodules",
    "FlowersDataModule": "lightning_seg.datamodules",
    "ImageFolderDataModule": "lightning_seg.datamodules",
    "ImageMaskFolderDataModule": "lightning_seg.datamodules",
    "MobileNetV2UNetTask": "lightning_seg.tasks",
    "OxfordPetLabelsDataModule": "lightning_seg.datamodules",
    "OxfordPetsDataModule": "lightning_seg.datamodules",
    "PicturesDataModule": "lightning_seg.datamodules",
    "Predictor": "lightning_seg.predictor",
    "SlidingDetectorTask": "lightning_seg.tasks",
    "SmpTask": "lightning_seg.tasks",
    "StanfordDogsDataModule": "lightning_seg.datamodules",
    "TimmClassifierTask": "lightning_seg.tasks",
    "UNetTask": "lightning_seg.tasks",
    "WholeCheckpointIO": "lightning_seg.checkpoint_io",
}
__all__ = [
    "CNNClassifierTask",
    "CarvanaDataModule",
    "CocoObjectsDataModule",
    "FlowersDataModule",
    "ImageFolderDataModule",
    "ImageMaskFolderDataModule",
    "MobileNetV2UNetTask",
    "OxfordPetLabelsDataModule",
    "OxfordPetsDataModule",
    "PicturesDataModule",
    "Predictor",
    "SlidingDetectorTask",
    "SmpTask",
    "StanfordDogsDataModule",
    "TimmClassifierTask",
    "UNetTask",
    "WholeCheckpointIO",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
