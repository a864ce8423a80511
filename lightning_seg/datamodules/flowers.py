"""The flower photos as a datamodule."""

from pathlib import Path
from typing import Unpack

from lightning_seg.datamodules.downloads import Archive, fetch
from lightning_seg.datamodules.labelled import LabelledDataModule
from lightning_seg.datamodules.options import Loading
from lightning_seg.datamodules.split_plan import DEFAULT_FRACTION
from lightning_seg.datasets.flowers import CLASS_NAMES, FOLDER, FlowersDataset, has_flowers, photo_number
from lightning_seg.datasets.labelled import LabelledDataset, LabelledPicture
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.marker import holds_synthetic

BASE_URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/"
# The checksum is the one that TensorFlow Datasets has recorded; beside the archive none is published.
ARCHIVES = (
    Archive("flower_photos.tgz", "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c", creates=FOLDER),
)


class FlowersDataModule(LabelledDataModule):
    """Photos of five kinds of flowers.

    There is no published split: all three are drawn by seed and class. Both copies of a photo that was published twice
    are in the same split.

    Source: https://www.tensorflow.org/datasets/catalog/tf_flowers (photos under CC BY).

    Args:
        root: folder with the five class folders, or with ``flower_photos/``, where they are downloaded to.
        val_fraction: share of the photos to validate on; with 0 the last epoch counts as the best.
        test_fraction: share of the photos to test on; 0 leaves none.
        image_size: side, or (height, width), of the photos for the model; None keeps their sizes.
        batch_size: pictures per step and process.
        options: see ``DataModule``.

    Raises:
        ConfigError: if an argument has an impossible value.
        DataError: if folders are missing or empty, when a stage begins.
    """

    class_names = CLASS_NAMES
    default_pipeline = "flip_rotation_zoom"

    def __init__(
        self,
        root: str | Path,
        val_fraction: float = DEFAULT_FRACTION,
        test_fraction: float = DEFAULT_FRACTION,
        image_size: int | tuple[int, int] | None = 180,
        batch_size: int = 32,
        **options: Unpack[Loading],
    ) -> None:
        super().__init__(root, val_fraction, test_fraction, image_size=image_size, batch_size=batch_size, **options)

    def download_missing(self) -> None:
        if not has_flowers(self.root):
            fetch(BASE_URL, ARCHIVES, self.root)

    def write_synthetic(self) -> None:
        if not holds_synthetic(self.root, "flowers"):
            write_flowers(self.root)

    def read_pictures(self) -> LabelledDataset:
        return FlowersDataset(self.root, self.image_size)

    def group(self, picture: LabelledPicture) -> str:
        return photo_number(picture)
