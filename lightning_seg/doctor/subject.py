"""The dataset that is looked at: the splits of a datamodule, and the facts about their files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.batch import Split
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.datasets.facts import MaskFacts, PictureFacts

Pictures = PictureDataset[Any, Any]


class Look(NamedTuple):
    """One picture of a split, and all that is known of it."""

    split: Split
    number: int  # position in the split
    picture: PictureFacts
    mask: MaskFacts | None  # of datasets with masks


class Subject(NamedTuple):
    """A dataset that is looked at.

    The facts lie on the disk and are read again each time that they are gone through, so a large dataset takes no more
    memory than a small one.
    """

    root: Path
    class_names: tuple[str, ...]
    splits: Mapping[Split, Pictures]
    facts: Mapping[Split, "Facts"]
    group: Callable[[Any], str | None] = lambda record: None  # of the pictures that are no independent samples
    skips: frozenset[str] = frozenset()  # arguments of the data that say that pictures are left out
    name: str = ""  # of the dataset, where it is not that of its folder

    def looks(self) -> Iterator[Look]:
        """All pictures, split by split, in the order of their records."""
        for split, facts in self.facts.items():
            for number, (picture, mask) in enumerate(facts):
                yield Look(split, number, picture, mask)

    def record(self, look: Look) -> Any:
        """The record of a picture, which its dataset knows."""
        return self.splits[look.split].records[look.number]


class Facts:
    """The facts of one split, to be gone through any number of times.

    Args:
        store: that has looked at all files.
        dataset: the pictures of the split.
    """

    def __init__(self, store: Any, dataset: Pictures) -> None:
        self.store, self.dataset = store, dataset

    def __iter__(self) -> Iterator[tuple[PictureFacts, MaskFacts | None]]:
        pictures = self.store.pictures(self.dataset, closely=True)
        if not self.dataset.has_masks:
            yield from ((picture, None) for picture in pictures)
            return
        yield from zip(pictures, self.store.masks(self.dataset, closely=True), strict=True)
