"""Oxford-IIIT Pet with labels in place of masks."""

from pathlib import Path
from typing import Unpack

from lightning_seg.datamodules.downloads import fetch
from lightning_seg.datamodules.labelled import LabelledDataModule
from lightning_seg.datamodules.options import Loading
from lightning_seg.datamodules.oxford_pets import ARCHIVES, BASE_URL
from lightning_seg.datamodules.split_plan import DEFAULT_FRACTION
from lightning_seg.datasets.labelled import LabelledDataset
from lightning_seg.datasets.oxford_pets import SPECIES, PetLabels, PetLabelsDataset, has_lists
from lightning_seg.datasets.pet_breeds import PET_BREEDS
from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.marker import holds_synthetic
from lightning_seg.synthetic.oxford_pets import write_oxford_pets


class OxfordPetLabelsDataModule(LabelledDataModule):
    """Photos of cats and dogs with their species or breed.

    ``trainval`` is split by seed and class into training and validation; only the test and predict stages read
    ``test``.

    Source: https://www.robots.ox.ac.uk/~vgg/data/pets/ (CC BY-SA 4.0).

    Args:
        root: folder with the published layout.
        labels: ``species``, cat or dog, or ``breed``, 37 when complete.
        val_fraction: share of the training photos to validate on; with 0 the last epoch counts as the best.
        image_size: side, or (height, width), of the photos for the model; None keeps their sizes.
        batch_size: pictures per step and process.
        options: see ``DataModule``.

    Raises:
        ConfigError: if an argument has an impossible value.
        DataError: if files are missing or lists are wrong, when a stage begins; with ``breed`` at construction.
    """

    default_pipeline = "flip"
    deciding = (*LabelledDataModule.deciding, "labels")

    def __init__(
        self,
        root: str | Path,
        labels: PetLabels = "species",
        val_fraction: float = DEFAULT_FRACTION,
        image_size: int | tuple[int, int] | None = 224,
        batch_size: int = 32,
        **options: Unpack[Loading],
    ) -> None:
        super().__init__(root, val_fraction, 0.0, image_size=image_size, batch_size=batch_size, **options)
        if labels not in ("species", "breed"):
            raise ConfigError(f"labels {labels!r} does not exist; choose species or breed")
        self.labels = labels
        if labels == "breed" and self.source == "synthetic":
            # Their names are known once they are written.
            self.write_synthetic()
        if labels == "species":
            self.class_names = SPECIES
        else:
            self.class_names = self.read_pictures().class_names if has_lists(self.root) else PET_BREEDS

    def download_missing(self) -> None:
        fetch(BASE_URL, ARCHIVES, self.root)

    def write_synthetic(self) -> None:
        if not holds_synthetic(self.root, "oxford_pets"):
            write_oxford_pets(self.root)

    def read_pictures(self) -> LabelledDataset:
        return PetLabelsDataset(self.root, self.labels, self.image_size)
