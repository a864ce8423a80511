"""The TensorFlow flower photos (https://www.tensorflow.org/datasets/catalog/tf_flowers)."""

from pathlib import Path

from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.datasets.labelled import LabelledDataset, LabelledPicture, read_folders
from lightning_seg.errors import DataError

CLASS_NAMES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
FOLDER = "flower_photos"
"""Folder that the published archive unpacks to."""


class FlowersDataset(LabelledDataset):
    """Photos of five kinds of flowers, one folder each: 3,670 when complete.

    Source: The TensorFlow Team, "Flowers", 2019; the photos' own licences are in ``LICENSE.txt`` beside them.

    Args:
        root: folder with ``daisy/``, ``dandelion/``, ``roses/``, ``sunflowers/`` and ``tulips/``, or with
            ``flower_photos/`` that holds these.
        image_size: (height, width) of the returned pictures.
        pipeline: random transforms.

    Raises:
        DataError: if folders are missing or empty, at construction; if a file cannot be read, when it is read.
    """

    class_names = CLASS_NAMES

    def __init__(
        self, root: str | Path, image_size: tuple[int, int] | None = None, pipeline: SeededPipeline | None = None
    ) -> None:
        self.root = Path(root)
        super().__init__(read_folders(find_folder(self.root), CLASS_NAMES), image_size, pipeline)


def has_flowers(root: Path) -> bool:
    """Whether the folder of a class exists."""
    return any((folder / name).is_dir() for folder in (root, root / FOLDER) for name in CLASS_NAMES)


def find_folder(root: Path) -> Path:
    """The folder of the classes: ``root`` or its ``flower_photos/``."""
    if not has_flowers(root):
        raise DataError(
            f"{root}: no {CLASS_NAMES[0]}/ or {FOLDER}/{CLASS_NAMES[0]}/ there, so this is not a copy of the flower "
            "photos; give its folder with --data.root, fetch it with --data.download true, or try --data.source "
            "synthetic"
        )
    return root / FOLDER if (root / FOLDER).is_dir() else root


def photo_number(picture: LabelledPicture) -> str:
    """Flickr's number of a photo, with which its name begins.

    Some photos are published twice, in two sizes or two classes: 15922772266 is among the roses and among the tulips.
    """
    return picture.image.stem.partition("_")[0]
