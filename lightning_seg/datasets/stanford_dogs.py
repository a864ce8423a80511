"""Stanford Dogs: photos of 120 breeds, a subset of ImageNet (http://vision.stanford.edu/aditya86/ImageNetDogs/)."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.batch import Split
from lightning_seg.datasets.labelled import Labelled, LabelledDataset, LabelledPicture
from lightning_seg.datasets.voc import read_boxes
from lightning_seg.errors import DataError

LAYOUT = "Images/*/*.jpg, lists/train_list.mat and lists/test_list.mat"
LISTS: tuple[Split, ...] = ("train", "test")
MAX_NAMED = 10


class StanfordDogsDataset(LabelledDataset):
    """Photos of dogs with their breeds, by the official lists: 12,000 to train and 8,580 to test on.

    All photos are a subset of ImageNet's training set: ImageNet weights have seen the test photos.

    Source: Khosla et al., "Novel Dataset for Fine-Grained Image Categorization", FGVC workshop at CVPR 2011.

    Args:
        root: folder with the published ``Images`` and ``lists`` and, if boxes are wanted, ``Annotation``.
        image_size: (height, width) of the returned pictures.
        pipeline: random transforms.

    Raises:
        DataError: if files are missing or lists are wrong, at construction; if a photo cannot be read, when it is read.
    """

    def __init__(
        self, root: str | Path, image_size: tuple[int, int] | None = None, pipeline: SeededPipeline | None = None
    ) -> None:
        self.root = Path(root)
        super().__init__(read_lists(self.root), image_size, pipeline)

    def boxes(self, record: LabelledPicture) -> NDArray[np.float32]:
        """The dogs of a photo, ``(N, 4)`` as x1, y1, x2, y2 in pixels of the file; none without ``Annotation``.

        Raises:
            DataError: if the file is wrong.
        """
        path = self.root / "Annotation" / record.name.removesuffix(".jpg")
        return read_boxes(path) if path.is_file() else np.empty((0, 4), np.float32)


def read_lists(root: Path) -> Labelled:
    """The photos of both lists, ordered by split and label, and the breeds.

    Raises:
        DataError: if a list or a photo is missing, or a list is not as published.
    """
    listed: list[tuple[str, int, Split]] = []
    for split in LISTS:
        listed += [(name, label, split) for name, label in _read_list(root, split)]
    class_names = _breeds(root, [(name, label) for name, label, _ in listed])
    pictures = [LabelledPicture(name, root / "Images" / name, label, split) for name, label, split in listed]
    present = {path.relative_to(root / "Images").as_posix() for path in (root / "Images").glob("*/*")}
    if missing := [picture.name for picture in pictures if picture.name not in present]:
        more = ", ..." if len(missing) > MAX_NAMED else ""
        raise DataError(
            f"{root / 'Images'}: {len(missing)} of {len(pictures)} listed photos are missing: "
            f"{', '.join(missing[:MAX_NAMED])}{more}; restore them, or fetch them with --data.download true"
        )
    return Labelled(class_names, pictures)


def has_lists(root: Path) -> bool:
    return all(_path(root, split).is_file() for split in LISTS)


def _path(root: Path, split: Split) -> Path:
    return root / "lists" / f"{split}_list.mat"


def _read_list(root: Path, split: Split) -> list[tuple[str, int]]:
    """Name and label of each line; labels count from 0."""
    path = _path(root, split)
    if not path.is_file():
        raise DataError(
            f"{root}: no {path.relative_to(root)} there, so this is not a copy of Stanford Dogs ({LAYOUT}); give its "
            "folder with --data.root, fetch it with --data.download true, or try --data.source synthetic"
        )
    try:
        content: dict[str, Any] = loadmat(path)
        names = [str(cell.item()) for cell in content["file_list"].ravel()]
        labels = [int(label) - 1 for label in content["labels"].ravel()]
        lines = list(zip(names, labels, strict=True))
    # loadmat answers a broken file with errors of many kinds.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{path}: not one of the published lists ({reason}); restore the file") from error
    if not lines:
        raise DataError(f"{path}: the list names no photo; restore the published file")
    return lines


def _breeds(root: Path, listed: list[tuple[str, int]]) -> tuple[str, ...]:
    """The name of each label: that of the folder without its WordNet number."""
    names: dict[int, str] = {}
    for name, label in listed:
        match = re.fullmatch(r"n\d+-([^/]+)/[^/]+", name)
        if match is None or names.setdefault(label, match[1]) != match[1]:
            raise DataError(
                f"{root / 'lists'}: expected WNID-BREED/FILE.jpg and one breed for each label, found {name!r} with "
                f"label {label + 1}; restore the published files"
            )
    if sorted(names) != list(range(len(names))) or len(names) < 2:
        raise DataError(
            f"{root / 'lists'}: {len(names)} labels, the highest is {max(names) + 1}; they must be numbered from 1 on "
            "without a gap, two at least; restore the published files"
        )
    return tuple(names[label] for label in range(len(names)))
