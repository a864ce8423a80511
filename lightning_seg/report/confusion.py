"""Which classes were taken for which, with the pictures behind each number."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from lightning_seg.picture_table import by_confusion
from lightning_seg.report.tested import PictureResult


class Confusion(NamedTuple):
    """Test pictures by true and predicted class."""

    class_names: tuple[str, ...]
    cells: Mapping[tuple[str, str], tuple[PictureResult, ...]]  # by (true, predicted), the surest first, unknown last

    @classmethod
    def of(cls, pictures: Sequence[PictureResult], class_names: Sequence[str]) -> Self | None:
        """None where pictures have more than one class, or the table does not tell it.

        Args:
            pictures: of a test.
            class_names: in their order; others of the table come behind.
        """
        told = [one for one in pictures if one.is_labelled and one.truth and one.prediction]
        if not told:
            return None
        names = dict.fromkeys([*class_names, *(name for one in told for name in (one.truth, one.prediction))])
        return cls(tuple(names), {place: tuple(held) for place, held in by_confusion(told).items()})

    def behind(self, true: str, predicted: str) -> tuple[PictureResult, ...]:
        """The pictures of a cell, the surest first."""
        return self.cells.get((true, predicted), ())

    @property
    def counts(self) -> list[list[int]]:
        """``[true][predicted]``, in the order of the names."""
        return [[len(self.behind(true, predicted)) for predicted in self.class_names] for true in self.class_names]

    @property
    def mistakes(self) -> list[tuple[str, str, int]]:
        """True class, predicted class and number of pictures, the most frequent first."""
        wrong = [(*place, len(held)) for place, held in self.cells.items() if place[0] != place[1]]
        return sorted(wrong, key=lambda one: -one[2])
