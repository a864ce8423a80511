"""The user's own pictures of one class each."""

from collections.abc import Sequence
from pathlib import Path

from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.datasets.labelled import LabelledDataset, read_folders, read_list


class ImageFolderDataset(LabelledDataset):
    """Pictures in folders of classes, ``<class>/*`` or ``train/<class>/*``, or those of a list.

    Args:
        root: folder of the folders.
        labels: CSV file with the columns image, label and, if wanted, split, in place of folders; relative to ``root``.
        classes: their names in the order of the labels; None takes all that are found.
        image_size: (height, width) of the returned pictures; None keeps their sizes.
        pipeline: random transforms.

    Raises:
        DataError: if folders, files or classes are missing, at construction; if a file cannot be read, when it is read.
    """

    def __init__(
        self,
        root: str | Path,
        labels: str | None = None,
        classes: Sequence[str] | None = None,
        image_size: tuple[int, int] | None = None,
        pipeline: SeededPipeline | None = None,
    ) -> None:
        root = Path(root)
        labelled = read_folders(root, classes) if labels is None else read_list(root, labels, classes)
        super().__init__(labelled, image_size, pipeline)
