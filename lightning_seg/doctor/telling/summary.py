"""Splits, sizes and formats of a dataset; and the words for them."""

from array import array
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_seg.doctor.subject import Subject
from lightning_seg.files import printable

FORMATS = 5
"""Formats that are named."""
Sides = NDArray[np.int32]
"""``(N, 2)``: height and width of pictures in pixels."""


class SplitSummary(NamedTuple):
    """One split."""

    name: str
    pictures: int
    unusable: int  # pictures that cannot be read, or whose mask cannot be used
    sizes: Sides  # of those that can be read


class Summary(NamedTuple):
    """A dataset."""

    root: Path
    class_names: tuple[str, ...]
    splits: tuple[SplitSummary, ...]
    formats: tuple[tuple[str, int], ...]  # format and mode with their pictures, the most frequent first
    name: str = ""  # of the dataset, where it is not that of its folder

    @property
    def title(self) -> str:
        """What the dataset is called by."""
        return self.name or str(self.root)

    @property
    def pictures(self) -> int:
        """Of all splits."""
        return sum(split.pictures for split in self.splits)

    @property
    def sizes(self) -> Sides:
        """Of all pictures that can be read."""
        return np.concatenate([np.empty((0, 2), np.int32), *(split.sizes for split in self.splits)])


def summarize(subject: Subject) -> Summary:
    """Go through all pictures once; only their sizes are kept."""
    sides = {str(split): array("i") for split in subject.splits}
    unusable, formats = Counter[str](), Counter[str]()
    for look in subject.looks():
        picture, mask = look.picture, look.mask
        unusable[look.split] += bool(picture.problem or (mask is not None and mask.problem))
        if not picture.problem:
            sides[look.split].extend((picture.height, picture.width))
            formats[f"{picture.format} {picture.mode}"] += 1
    splits = tuple(
        SplitSummary(split, len(dataset), unusable[split], np.array(sides[split], np.int32).reshape(-1, 2))
        for split, dataset in subject.splits.items()
    )
    return Summary(subject.root, subject.class_names, splits, tuple(formats.most_common()), subject.name)


def describe_formats(summary: Summary) -> str:
    """The most frequent formats of the pictures that can be read."""
    shown = ", ".join(f"{number} {name}" for name, number in summary.formats[:FORMATS])
    return f"{shown}, and others" if len(summary.formats) > FORMATS else shown


def splits_table(summary: Summary) -> list[tuple[str, ...]]:
    """Heads, and a row for each split."""
    rows = [
        (one.name, str(one.pictures), str(one.unusable) if one.unusable else "", describe_sizes(one.sizes))
        for one in summary.splits
    ]
    return [("split", "pictures", "unusable", "width x height"), *rows]


def describe_sizes(sizes: Sides) -> str:
    """Smallest, median and largest, by area, as width x height."""
    if not len(sizes):
        return ""
    order = np.argsort(sizes.astype(np.int64).prod(axis=1), kind="stable")
    small, middle, large = (f"{width}x{height}" for height, width in sizes[order[[0, len(order) // 2, -1]]].tolist())
    return small if small == large else f"{small} to {large}, median {middle}"


def shown_name(name: str, root: Path) -> str:
    """A file's path below the root, without control characters."""
    path = Path(name)
    return printable(str(path.relative_to(root) if path.is_relative_to(root) else path))
