"""Stanford Dogs as a datamodule."""

from pathlib import Path
from typing import Unpack

from lightning_seg.datamodules.downloads import Archive, fetch
from lightning_seg.datamodules.labelled import LabelledDataModule
from lightning_seg.datamodules.options import Loading
from lightning_seg.datamodules.split_plan import DEFAULT_FRACTION
from lightning_seg.datasets.dog_breeds import DOG_BREEDS
from lightning_seg.datasets.labelled import LabelledDataset
from lightning_seg.datasets.stanford_dogs import StanfordDogsDataset, has_lists, read_lists
from lightning_seg.synthetic.marker import holds_synthetic
from lightning_seg.synthetic.stanford_dogs import SYNTHETIC_BREEDS, write_stanford_dogs

BASE_URL = "http://vision.stanford.edu/aditya86/ImageNetDogs/"
# Checksums are those that TensorFlow Datasets has recorded; beside the archives none are published.
ARCHIVES = (
    Archive("images.tar", "a443fc2f9a851aa1a7b8e4fa4af94b8459fce2c9f5a2f4dd4669cf9673a4ec58", creates="Images"),
    Archive("annotation.tar", "662ed36f707be6b195c2fda392d8e153e83af28cedc8e2134a649f198def30fd", creates="Annotation"),
    Archive("lists.tar", "34b47cacd9a98b5d150e084f24d29391c084c55272295ec65c85651bc35f4d6c", creates="lists"),
)


class StanfordDogsDataModule(LabelledDataModule):
    """Photos of dogs and their breeds, 120 when complete.

    The official list of training photos is split by seed and breed into training and validation; only the test and
    predict stages read the photos of the official test list.

    Source: http://vision.stanford.edu/aditya86/ImageNetDogs/ (for research). The photos are a subset of ImageNet's
    training set, so ImageNet weights have seen them, the test photos included.

    Args:
        root: folder with the published ``Images`` and ``lists`` and, if boxes are wanted, ``Annotation``.
        val_fraction: share of the training photos to validate on; with 0 the last epoch counts as the best.
        image_size: side, or (height, width), of the photos for the model; None keeps their sizes.
        batch_size: pictures per step and process.
        options: see ``DataModule``.

    Raises:
        ConfigError: if an argument has an impossible value.
        DataError: if files are missing or lists are wrong; if the lists exist, at construction.
    """

    default_pipeline = "dogs"

    def __init__(
        self,
        root: str | Path,
        val_fraction: float = DEFAULT_FRACTION,
        image_size: int | tuple[int, int] | None = 224,
        batch_size: int = 16,
        **options: Unpack[Loading],
    ) -> None:
        super().__init__(root, val_fraction, 0.0, image_size=image_size, batch_size=batch_size, **options)
        if has_lists(self.root):
            self.class_names = read_lists(self.root).class_names
        else:
            self.class_names = SYNTHETIC_BREEDS if self.source == "synthetic" else DOG_BREEDS

    def download_missing(self) -> None:
        fetch(BASE_URL, ARCHIVES, self.root)

    def write_synthetic(self) -> None:
        if not holds_synthetic(self.root, "stanford_dogs"):
            write_stanford_dogs(self.root)

    def read_pictures(self) -> LabelledDataset:
        return StanfordDogsDataset(self.root, self.image_size)
