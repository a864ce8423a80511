"""Carvana: studio photos of cars with masks (https://www.kaggle.com/c/carvana-image-masking-challenge)."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.datasets.base import SegmentationDataset
from lightning_seg.datasets.listed_files import check_listed
from lightning_seg.datasets.stray_values import class_indices
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.errors import DataError
from lightning_seg.images import Array, read_index_mask

LIST = "train_masks.csv"
LAYOUT = "train/*.jpg, train_masks/*_mask.gif and train_masks.csv"
COMPETITION = "carvana-image-masking-challenge"
FETCH = (
    f"Kaggle asks for an account that has accepted the rules of {COMPETITION}: run 'kaggle competitions download -c "
    f"{COMPETITION} -f FILE' for train.zip, train_masks.zip and train_masks.csv.zip, and unzip all three there"
)
"""How a user gets the files; only Kaggle may distribute them."""


class CarvanaRecord(NamedTuple):
    """One photo: ``stem`` is ``<car>_<view>``."""

    stem: str
    car: str
    view: int  # 1 to 16, around the car


class CarvanaDataset(SegmentationDataset[CarvanaRecord]):
    """Photos with masks of two classes, in the order of ``train_masks.csv``.

    Only photos on the list are read. Kaggle's ``test`` photos have no masks, so they are not part of it.

    Args:
        root: folder with Kaggle's ``train``, ``train_masks`` and ``train_masks.csv``.
        image_size: (height, width) of the returned pictures; the photos have 1280 x 1918.
        pipeline: random transforms.
        records: records of ``read_list`` to use; None takes all. Files of other records may be missing.

    Raises:
        DataError: if files are missing, at construction; if one cannot be read or is no mask, when it is read.
    """

    class_names = ("background", "car")

    def __init__(
        self,
        root: str | Path,
        image_size: tuple[int, int] | None = None,
        pipeline: SeededPipeline | None = None,
        records: Sequence[CarvanaRecord] | None = None,
    ) -> None:
        self.root = Path(root)
        super().__init__(read_list(self.root) if records is None else records, image_size, pipeline)
        names = [record.stem for record in self.records]
        pictures = {path.stem for path in (self.root / "train").glob("*.jpg")}
        masks = {path.stem.removesuffix("_mask") for path in (self.root / "train_masks").glob("*_mask.gif")}
        check_listed(self.root, names, pictures, masks, f"restore the files or take the names off {LIST}")

    def image_path(self, record: CarvanaRecord) -> Path:
        return self.root / f"train/{record.stem}.jpg"

    def mask_path(self, record: CarvanaRecord) -> Path:
        return self.root / f"train_masks/{record.stem}_mask.gif"

    def read_mask(self, record: CarvanaRecord) -> Array:
        path = self.mask_path(record)
        return class_indices(
            read_index_mask(path),
            self.class_names,
            lambda wrong: (
                f"{path}: a mask holds 0 (background) and 1 (car), this file also {wrong}; replace it with "
                "the published one"
            ),
        )


def read_list(root: Path) -> list[CarvanaRecord]:
    """The records of the column ``img`` of ``train_masks.csv``."""
    path = root / LIST
    if not path.is_file():
        raise DataError(
            f"{root}: no {LIST} there, so this is not a copy of Carvana ({LAYOUT}); give its folder with --data.root, "
            f"or try --data.source synthetic. {FETCH}"
        )
    try:
        reader = csv.DictReader(read_lines(path, "restore the published file"))
        if "img" not in (reader.fieldnames or ()):
            raise DataError(f"{path}: there is no column img; restore the published file")
        records = [_record(path, reader.line_num, row["img"]) for row in reader]
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read as CSV ({error}); restore the published file") from error
    if not records:
        raise DataError(f"{path}: the list names no picture; restore the published file")
    return records


def _record(path: Path, line: int, name: str | None) -> CarvanaRecord:
    match = re.fullmatch(r"((\w+)_(\d+))\.jpg", (name or "").strip())
    if match is None:
        raise DataError(f"{path}, line {line}: expected CAR_VIEW.jpg, found {name!r}; restore the file")
    stem, car, view = match.groups()
    return CarvanaRecord(stem, car, int(view))
