"""Findings about samples of the user's own dataset. Its samples, asked for one by one, as pictures of this package."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lightning_seg.batch import IGNORE_INDEX, Split
from lightning_seg.datasets.base import ClassificationDataset, SegmentationDataset
from lightning_seg.datasets.stray_values import class_indices
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.errors import DataError, UserError, one_line
from lightning_seg.images import Array
from lightning_seg.numbers import count_of
from lightning_seg.tasks.batches import described, keys_of

FAILING = Kind(
    "sample-fails",
    "error",
    "asking your own dataset for a sample raises an error, or gives no sample",
    "fit ends in the epoch that asks for it, at a batch that depends on the seed",
    "correct the dataset, or leave the sample out of it",
)
UNSEEN = Kind(
    "samples-without-number",
    "warning",
    "a loader of your own datamodule has no dataset with a length and samples by number",
    "nothing is known of its samples; a training may work all the same",
    "give one DataLoader of a dataset with __len__ and __getitem__, if only to look at it",
)
KINDS = (FAILING, UNSEEN)
LONGEST = 300
"""Letters of an error."""
Value = TypeVar("Value")


class UnseenError(DataError):
    """The samples of a loader cannot be asked for."""


class Record(NamedTuple):
    """A sample of the user's."""

    path: Path
    number: int  # in its dataset
    label: int | None = None


class Failed(NamedTuple):
    """A sample that cannot be had."""

    split: Split
    number: int  # in its dataset
    reason: str


class OwnMasks(SegmentationDataset[Record]):
    """Samples ``{image, mask}`` of the user's own dataset.

    Args:
        samples: the dataset.
        records: its samples that are looked at.
        class_names: in the order of the mask's numbers.
    """

    def __init__(self, samples: Any, records: Sequence[Record], class_names: tuple[str, ...]) -> None:
        self.samples, self.class_names = samples, class_names
        super().__init__(records)

    def image_path(self, record: Record) -> Path:
        return record.path

    def read_mask(self, record: Record) -> Array:
        mask = of_the_user(f"sample {record.number}", lambda: np.asarray(self.samples[record.number]["mask"]))
        return class_indices(
            mask,
            self.class_names,
            lambda wrong: (
                f"sample {record.number}: the mask holds {', '.join(map(str, wrong))}, and there are "
                f"{len(self.class_names)} classes from 0 on; correct it, or use {IGNORE_INDEX} for what is ignored"
            ),
            ignored=IGNORE_INDEX,
        )


class OwnLabels(ClassificationDataset[Record]):
    """Samples ``{image, label}`` of the user's own dataset; see ``OwnMasks``."""

    def __init__(self, records: Sequence[Record], class_names: tuple[str, ...]) -> None:
        self.class_names = class_names
        super().__init__(records)

    def image_path(self, record: Record) -> Path:
        return record.path

    def label(self, record: Record) -> int:
        return -1 if record.label is None else record.label


def of_the_user(what: str, call: Callable[[], Value]) -> Value:
    """What the user's own code gives.

    Raises:
        DataError: with what was asked for and the error, whatever the code raises.
    """
    try:
        return call()
    except UserError as error:
        raise DataError(str(error)) from error
    except Exception as error:
        raise DataError(f"{what}: {type(error).__name__}: {one_line(error)[:LONGEST]}") from error


def read_record(samples: Any, number: int, split: Split, folder: Path, class_names: Sequence[str]) -> Record:
    """One sample; one that tells no ``path`` of a file is written into ``folder`` as a picture.

    Args:
        samples: the dataset.
        number: of the sample.
        split: for messages.
        folder: where pictures are written.
        class_names: none if they are not known.

    Raises:
        DataError: if it cannot be had, or is none, or of no class.
    """
    what = f"sample {number} of {split}"
    record = of_the_user(what, lambda: _record(samples[number], number, split, folder))
    classes = len(class_names)
    if record.label is not None and (record.label < 0 or (classes and record.label >= classes)):
        known = f", and there are {count_of(classes, 'class')} from 0 on" if classes else ""
        raise DataError(f"{what} has the label {record.label}, which is no class{known}; correct it")
    return record


def _record(sample: Any, number: int, split: Split, folder: Path) -> Record:
    sample = keys_of(sample, split)
    if not {"mask", "label"} & sample.keys():
        raise DataError(f"sample {number} of {split} has neither mask nor label, so nothing can be said; add one")
    path = Path(str(sample.get("path", "")))
    if not path.is_file():
        path = folder / split / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(_pixels(sample["image"])).save(path)
    return Record(path, number, _label(sample["label"]) if "label" in sample else None)


def about_failed(failed: Iterable[Failed]) -> Iterator[Finding]:
    """Samples that cannot be had, by their numbers."""
    found = list(failed)
    if found:
        numbers: dict[str, list[int]] = {}
        for one in found:
            numbers.setdefault(one.split, []).append(one.number)
        names = [f"sample {one.number} of {one.split}" for one in found]
        figures = {"samples": numbers, "reasons": [one.reason for one in found]}
        yield Finding(FAILING, names, detail=found[0].reason, figures=figures)


def most_index(samples: Any, records: Sequence[Record]) -> int:
    """The largest class index of the first masks."""
    masks = (np.asarray(samples[record.number]["mask"]) for record in records[:100])
    return max((int(mask[mask != IGNORE_INDEX].max(initial=0)) for mask in masks), default=0)


def _label(label: Any) -> int:
    """A class index; of shares of classes, as mixing gives them, the largest."""
    told = torch.as_tensor(label)
    return int(told.argmax() if told.ndim else told)


def _pixels(image: Any) -> NDArray[np.uint8]:
    """``(3, H, W)`` uint8, or floats from 0 to 1, as ``(H, W, 3)`` uint8."""
    pixels = torch.as_tensor(image)
    if pixels.ndim != 3 or len(pixels) != 3:
        raise DataError(f"image of a sample is {described(image)}, and tasks of this package read (3, H, W)")
    if pixels.is_floating_point():
        pixels = (pixels.clamp(0, 1) * 255).round()
    return pixels.to(torch.uint8).permute(1, 2, 0).cpu().numpy()
