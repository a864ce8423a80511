"""Oxford-IIIT Pet: photos of cats and dogs with trimaps (https://www.robots.ox.ac.uk/~vgg/data/pets/)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.batch import Split
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.labelled import Labelled, LabelledDataset, LabelledPicture
from lightning_seg.datasets.listed_files import check_listed
from lightning_seg.datasets.stray_values import class_indices
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.datasets.voc import read_boxes
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_index_mask

PetLabels = Literal["species", "breed"]
SPECIES = ("cat", "dog")
LAYOUT = "images/*.jpg, annotations/trimaps/*.png, annotations/trainval.txt and annotations/test.txt"


class PetRecord(NamedTuple):
    """One line of a list file."""

    name: str
    breed: str
    species: Literal["cat", "dog"]


class OxfordPetsDataset(SegmentationDataset[PetRecord]):
    """Pictures with masks of three classes; a trimap's 1, 2, 3 become 0 pet, 1 background, 2 border.

    Only pictures on the split's list are read, so the archive's ``.mat`` and ``._*`` files do not matter.

    Source: Parkhi et al., "Cats and Dogs", CVPR 2012.

    Args:
        root: folder with the published layout.
        split: ``trainval`` (3,680 pictures when complete) or ``test`` (3,669).
        image_size: (height, width) of the returned pictures.
        pipeline: random transforms.

    Raises:
        DataError: if files are missing, at construction; if one cannot be read or is no trimap, when it is read.
    """

    class_names = ("pet", "background", "border")

    def __init__(
        self,
        root: str | Path,
        split: Literal["trainval", "test"] = "trainval",
        image_size: tuple[int, int] | None = None,
        pipeline: SeededPipeline | None = None,
    ) -> None:
        self.root = Path(root)
        super().__init__(read_list(self.root, split), image_size, pipeline)
        names = [record.name for record in self.records]
        pictures = {path.stem for path in (self.root / "images").glob("*.jpg")}
        trimaps = {path.stem for path in (self.root / "annotations" / "trimaps").glob("*.png")}
        remedy = "restore the files or take the names off the lists in annotations/"
        check_listed(self.root, names, pictures, trimaps, remedy, mask="trimap")

    def image_path(self, record: PetRecord) -> Path:
        return self.root / f"images/{record.name}.jpg"

    def mask_path(self, record: PetRecord) -> Path:
        return self.root / f"annotations/trimaps/{record.name}.png"

    def read_mask(self, record: PetRecord) -> Array:
        path = self.mask_path(record)
        return class_indices(
            read_index_mask(path),
            self.class_names,
            lambda wrong: (
                f"{path}: a trimap holds 1 (pet), 2 (background) and 3 (border), this file also {wrong}; "
                "replace it with the published one"
            ),
            first=1,
        )


class PetLabelsDataset(LabelledDataset):
    """The same pictures with labels in place of masks, and the boxes of heads.

    Args:
        root: folder with the published layout; trimaps are not needed.
        labels: ``species``, cat or dog, or ``breed``, 37 when complete.
        image_size: (height, width) of the returned pictures.

    Raises:
        DataError: if files are missing, at construction; if a picture cannot be read, when it is read.
    """

    def __init__(
        self, root: str | Path, labels: PetLabels = "species", image_size: tuple[int, int] | None = None
    ) -> None:
        self.root = Path(root)
        listed: list[tuple[PetRecord, Split]] = [(record, "train") for record in read_list(self.root, "trainval")]
        listed += [(record, "test") for record in read_list(self.root, "test")]
        class_names = pet_classes(labels, [record for record, _ in listed])
        pictures = [
            LabelledPicture(
                record.name,
                self.root / "images" / f"{record.name}.jpg",
                class_names.index(record.species if labels == "species" else record.breed),
                split,
            )
            for record, split in listed
        ]
        present = {path.stem for path in (self.root / "images").glob("*.jpg")}
        remedy = "restore the files or take the names off the lists in annotations/"
        check_listed(self.root, [picture.name for picture in pictures], present, None, remedy)
        super().__init__(Labelled(class_names, pictures), image_size)

    def boxes(self, record: LabelledPicture) -> NDArray[np.float32]:
        """The heads on a picture, ``(N, 4)`` as x1, y1, x2, y2 in pixels of the file; some pictures have none.

        Raises:
            DataError: if the file is wrong.
        """
        path = self.root / "annotations" / "xmls" / f"{record.name}.xml"
        return read_boxes(path) if path.is_file() else np.empty((0, 4), np.float32)


def pet_classes(labels: PetLabels, records: Sequence[PetRecord]) -> tuple[str, ...]:
    """The names of the classes: both species, or the breeds of the records in alphabetical order."""
    return SPECIES if labels == "species" else tuple(sorted({record.breed for record in records}, key=str.lower))


def has_lists(root: Path) -> bool:
    return all((root / "annotations" / f"{split}.txt").is_file() for split in ("trainval", "test"))


def read_list(root: Path, split: str) -> list[PetRecord]:
    """The records that ``annotations/<split>.txt`` names, one line ``NAME CLASS-ID SPECIES BREED-ID`` each."""
    path = root / "annotations" / f"{split}.txt"
    if not path.is_file():
        raise DataError(
            f"{root}: no {path.relative_to(root)} there, so this is not a copy of Oxford-IIIT Pet ({LAYOUT}); give its "
            "folder with --data.root, fetch it with --data.download true, or try --data.source synthetic"
        )
    lines = read_lines(path, "restore the published file")
    records = [_record(path, number, line) for number, line in enumerate(lines, 1) if line and line[0] != "#"]
    if not records:
        raise DataError(f"{path}: the list names no picture; restore the published file")
    return records


def _record(path: Path, number: int, line: str) -> PetRecord:
    match = re.fullmatch(r"((\S+)_\d+) \d+ ([12]) \d+", line.strip())
    if match is None:
        raise DataError(
            f"{path}, line {number}: expected NAME CLASS-ID SPECIES BREED-ID, found {line[:80]!r}; restore the file"
        )
    name, breed, species = match.groups()
    return PetRecord(name, breed, "cat" if species == "1" else "dog")
