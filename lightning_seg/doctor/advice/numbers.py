"""Numbers that follow from a dataset: classes and their weights, colours, sizes, and the picture size to train at."""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_seg.doctor.advice.network import Colours, Network
from lightning_seg.doctor.advice.sizes import Advice, Sizes, advise, short_side_left, sizes_of
from lightning_seg.doctor.dataset.labels import amounts_in
from lightning_seg.doctor.subject import Look, Subject
from lightning_seg.tasks.class_weights import inverse_shares

Counted = Literal["pixels", "pictures", "boxes"]
SMALL = 0.05
"""Share of the pictures of a class whose smallest object may be smaller than what counts as its smallest one."""


@dataclass(frozen=True)
class ClassNumbers:
    """A class.

    Args:
        name: of the class.
        pictures: that show it, by split.
        amounts: its pixels, pictures or boxes, by split.
        share: of the training amounts of all classes; where nothing is trained on, of all amounts of the first split.
        weight: that ``--model.class_weights auto`` takes; None where nothing is trained on.
        smallest: short side of its smallest objects, as share of the short side of their picture; specks and the
            smallest of ``SMALL`` are left out. None without masks or boxes.
        pixels_left: of that side where a picture of the median size is shown at ``image_size``.
    """

    name: str
    pictures: Mapping[str, int]
    amounts: Mapping[str, int]
    share: float
    weight: float | None
    smallest: float | None
    pixels_left: float | None


@dataclass(frozen=True)
class Numbers:
    """What follows from a dataset, as plain values.

    Args:
        counted: what ``ClassNumbers.amounts`` counts.
        pictures: that can be read, by split.
        classes: in the order of their indices.
        colours: mean and deviation of red, green and blue over the training pictures, 0 to 1.
        normalization: the same as the network of the config takes them to be; None without one.
        sizes: of all pictures.
        image_size: (height, width) at which pictures are shown; None where they are as their files.
        advice: the size to train at; None where nothing better is known.
    """

    counted: Counted
    pictures: Mapping[str, int]
    classes: tuple[ClassNumbers, ...]
    colours: Colours | None
    normalization: Colours | None
    sizes: Sizes
    image_size: tuple[int, int] | None
    advice: Advice | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and the report."""
        return asdict(self)


class _Sums:
    """What is added up over the pictures, of which none is kept."""

    def __init__(self, subject: Subject) -> None:
        number = len(subject.class_names)
        self.pictures = {str(split): 0 for split in subject.splits}
        self.shown = {split: np.zeros(number, np.int64) for split in self.pictures}
        self.amounts = {split: np.zeros(number, np.int64) for split in self.pictures}
        self.smallest: dict[int, array[float]] = defaultdict(lambda: array("f"))
        self.heights, self.widths = array("i"), array("i")
        self.colours = np.zeros(6)

    def add(self, subject: Subject, look: Look) -> None:
        """A picture that can be read."""
        self.pictures[look.split] += 1
        self.heights.append(look.picture.height)
        self.widths.append(look.picture.width)
        if look.split == "train":
            self.colours += np.array(look.picture.sums.split(), np.float64)
        counts = amounts_in(subject, look)
        if counts is None:
            return
        self.shown[look.split] += counts > 0
        self.amounts[look.split] += counts
        for index, side in _smallest(subject, look):
            if counts[index]:
                self.smallest[index].append(side)

    def mean_colours(self) -> Colours | None:
        """Every training picture counts alike, as in training."""
        number = self.pictures.get("train", 0)
        if number == 0:
            return None
        means, squares = np.split(self.colours / number, 2)
        deviations = np.sqrt(np.maximum(0, squares - means**2))
        return Colours(tuple(means.round(4).tolist()), tuple(deviations.round(4).tolist()))


def numbers_of(
    subject: Subject, image_size: tuple[int, int] | None = None, network: Network | None = None
) -> Numbers | None:
    """All numbers in one pass; None where no picture can be read.

    Args:
        subject: the dataset.
        image_size: (height, width) at which the datamodule shows pictures.
        network: of the config, if there is one.
    """
    sums = _Sums(subject)
    for look in subject.looks():
        if not look.picture.problem:
            sums.add(subject, look)
    if not any(sums.pictures.values()):
        return None
    counted, sizes = _counted(subject), sizes_of(sums.heights, sums.widths)
    classes = tuple(_classes(subject.class_names, sums, sizes, image_size))
    return Numbers(
        counted,
        sums.pictures,
        classes,
        sums.mean_colours(),
        network.normalization if network else None,
        sizes,
        image_size,
        advise(sizes, image_size, smallest_object(classes), network),
    )


def smallest_object(classes: Sequence[ClassNumbers]) -> float | None:
    """As ``ClassNumbers.smallest``, of all classes but the one with the largest share, which is the background."""
    by_share = sorted(classes, key=lambda one: one.share)
    known = [one.smallest for one in by_share[: max(1, len(by_share) - 1)] if one.smallest is not None]
    return min(known, default=None)


def _classes(
    names: Sequence[str], sums: _Sums, sizes: Sizes, image_size: tuple[int, int] | None
) -> Iterator[ClassNumbers]:
    trained = sums.amounts.get("train", next(iter(sums.amounts.values())))
    weights = inverse_shares(trained.tolist()) if "train" in sums.amounts and trained.any() else None
    for index, name in enumerate(names):
        smallest = round(float(np.quantile(sums.smallest[index], SMALL)), 4) if index in sums.smallest else None
        yield ClassNumbers(
            name,
            {split: int(counts[index]) for split, counts in sums.shown.items()},
            {split: int(counts[index]) for split, counts in sums.amounts.items()},
            round(float(trained[index] / max(1, trained.sum())), 6),
            None if weights is None else weights[index],
            smallest,
            None if smallest is None else round(short_side_left(smallest, sizes.median, image_size), 2),
        )


def _counted(subject: Subject) -> Counted:
    dataset = next(iter(subject.splits.values()))
    return "pixels" if dataset.has_masks else "pictures" if hasattr(dataset, "label") else "boxes"


def _smallest(subject: Subject, look: Look) -> Iterator[tuple[int, float]]:
    """Classes, and the short side of the smallest object of each as share of the short side of the picture."""
    if look.mask is not None:
        yield from enumerate(map(float, look.mask.smallest.split()))
        return
    record = subject.record(look)
    boxes: NDArray[np.float32] | None = getattr(record, "boxes", None)
    if boxes is None:
        return
    sides = (boxes[:, 2:] - boxes[:, :2]).min(axis=1) / min(look.picture.height, look.picture.width)
    yield from ((int(label), float(sides[record.labels == label].min())) for label in np.unique(record.labels))
