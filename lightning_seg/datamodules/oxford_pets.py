"""Oxford-IIIT Pet as a datamodule."""

from typing import Any

from lightning_seg.datamodules.base import SegmentationDataModule
from lightning_seg.datamodules.downloads import Archive, fetch
from lightning_seg.datamodules.splits import stratified_split
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.oxford_pets import OxfordPetsDataset
from lightning_seg.mask_encoding import MaskEncoding
from lightning_seg.synthetic.marker import holds_synthetic
from lightning_seg.synthetic.oxford_pets import write_oxford_pets

BASE_URL = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/"
ARCHIVES = (
    Archive("images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c", creates="images"),
    Archive("annotations.tar.gz", "95a8c909bbe2e81eed6a22bccdf3f68f", creates="annotations"),
)


class OxfordPetsDataModule(SegmentationDataModule):
    """Photos of cats and dogs with masks of three classes: pet, background, border.

    ``trainval`` is split by seed and breed into training and validation; only the test and predict stages read
    ``test``. Arguments and errors: see ``SegmentationDataModule``.

    Source: https://www.robots.ox.ac.uk/~vgg/data/pets/ (CC BY-SA 4.0).
    """

    class_names = OxfordPetsDataset.class_names
    default_pipeline = "flip_affine_colour"
    mask_encoding = MaskEncoding((1, 2, 3))

    def download_missing(self) -> None:
        fetch(BASE_URL, ARCHIVES, self.root)

    def write_synthetic(self) -> None:
        if not holds_synthetic(self.root, "oxford_pets"):
            write_oxford_pets(self.root)

    def make_train_val(self) -> tuple[SegmentationDataset[Any], SegmentationDataset[Any]]:
        trainval = OxfordPetsDataset(self.root, "trainval", self.image_size)
        breeds = [record.breed for record in trainval.records]
        train, val = stratified_split(breeds, self.val_fraction, self.seed)
        return trainval.subset(train), trainval.subset(val)

    def make_test(self) -> SegmentationDataset[Any]:
        return OxfordPetsDataset(self.root, "test", self.image_size)
