"""What a dataset holds, in numbers: splits, classes, sizes and formats."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lightning_seg.doctor.labels import class_counts
from lightning_seg.doctor.subject import Pictures, Subject


class SplitSummary(NamedTuple):
    """One split."""

    name: str
    pictures: int
    unusable: int  # pictures that cannot be read, or whose mask cannot be used
    sizes: NDArray[np.int32]  # (N, 2): height and width in pixels of those that can be read


class ClassSummary(NamedTuple):
    """One class."""

    name: str
    pictures: Mapping[str, int]  # that hold it, by split
    share: float  # of what is trained on, see ``Summary.counted``


class Summary(NamedTuple):
    """A dataset in numbers."""

    root: Path
    counted: str  # what the shares of the classes are shares of: pixels, pictures or boxes
    splits: tuple[SplitSummary, ...]
    classes: tuple[ClassSummary, ...]
    formats: tuple[tuple[str, int], ...]  # format and mode with their pictures, the most frequent first

    @property
    def pictures(self) -> int:
        """Of all splits."""
        return sum(split.pictures for split in self.splits)

    @property
    def sizes(self) -> NDArray[np.int32]:
        """``(N, 2)``: height and width of all pictures that can be read."""
        return np.concatenate([np.empty((0, 2), np.int32), *(split.sizes for split in self.splits)])


def summarize(subject: Subject) -> Summary:
    """Go through all pictures once more; their facts are known by then."""
    sizes: dict[str, list[tuple[int, int]]] = {split: [] for split in subject.splits}
    unusable, formats = Counter[str](), Counter[str]()
    for look in subject.looks():
        picture, mask = look.picture, look.mask
        unusable[look.split] += bool(picture.problem or (mask is not None and mask.problem))
        if not picture.problem:
            sizes[look.split].append((picture.height, picture.width))
            formats[f"{picture.format} {picture.mode}"] += 1
    pictures, shares = class_counts(subject)
    splits = tuple(
        SplitSummary(split, len(dataset), unusable[split], np.array(sizes[split], np.int32).reshape(-1, 2))
        for split, dataset in subject.splits.items()
    )
    classes = tuple(
        ClassSummary(name, {split: int(counts[index]) for split, counts in pictures.items()}, float(shares[index]))
        for index, name in enumerate(subject.class_names)
    )
    counted = next(map(_counted, subject.splits.values()), "pictures")
    return Summary(subject.root, counted, splits, classes, tuple(formats.most_common()))


def _counted(dataset: Pictures) -> str:
    if dataset.has_masks:
        return "pixels"
    return "pictures" if hasattr(dataset, "label") else "boxes"
