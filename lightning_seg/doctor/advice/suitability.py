"""Findings about picture size and normalisation: whether they suit the pictures."""

from collections.abc import Iterator

from lightning_seg.doctor.advice.network import Colours, Network
from lightning_seg.doctor.advice.numbers import Numbers
from lightning_seg.doctor.advice.sizes import LEAST_PIXELS, Advice, is_squeezed
from lightning_seg.doctor.findings import Finding, Kind

SMALL_OBJECTS = Kind(
    "small-objects",
    "note",
    f"in one of twenty pictures an object is left with less than {LEAST_PIXELS:.0f} pixels when it is resized",
    "a row of wrong pixels at each edge is half of such an object, and of one pixel nothing is learned",
    "give a larger --data.image_size; where that costs too much, train on crops and predict with --tile",
)
ENLARGED = Kind(
    "enlarged-pictures",
    "note",
    "image_size is larger than half of the pictures",
    "their pixels are repeated: it costs time and memory, and shows nothing more",
    "give a smaller --data.image_size",
)
SQUEEZED = Kind(
    "squeezed-pictures",
    "note",
    "nearly all pictures lie or stand, and image_size has another shape",
    "they are squeezed; in one direction more detail is lost than in the other",
    "give --data.image_size [HEIGHT, WIDTH] in the shape of the pictures",
)
OTHER_COLOURS = Kind(
    "far-normalization",
    "note",
    "after normalisation the training pictures are far from mean 0 and deviation 1: too dark, too bright or too flat",
    "the first layers see a small part of the range that their weights are made for, and need longer to adapt",
    "look whether the export of the files uses the whole range from 0 to 255",
)
KINDS = (SMALL_OBJECTS, ENLARGED, SQUEEZED, OTHER_COLOURS)
FAR_MEAN, FLAT, STEEP = 1.5, 0.2, 2.5
"""Mean of normalised pictures, at most, and their deviation, at least and at most: [0, 1] and [-1, 1] of usual photos
are within.
"""


def check_numbers(numbers: Numbers, network: Network | None = None) -> Iterator[Finding]:
    """What of the config does not suit the pictures.

    Args:
        numbers: of the dataset.
        network: of the config, if there is one.
    """
    yield from _small_objects(numbers)
    yield from _shape(numbers)
    if numbers.colours and numbers.normalization and network:
        yield from _colours(numbers.colours, numbers.normalization, network)


def _small_objects(numbers: Numbers) -> Iterator[Finding]:
    if numbers.image_size is None:
        return
    largest = max(numbers.classes, key=lambda one: one.share, default=None)
    left = [
        (one.pixels_left, one.name) for one in numbers.classes if one is not largest and one.pixels_left is not None
    ]
    small = sorted((pixels, name) for pixels, name in left if pixels < LEAST_PIXELS)
    if small:
        told = ", ".join(f"{name} {pixels:.1f}" for pixels, name in small)
        detail = f"pixels that are left of the short side: {told}"
        yield Finding(SMALL_OBJECTS, count=len(small), detail=detail, remedy=_remedy(numbers.advice, "small"))


def _shape(numbers: Numbers) -> Iterator[Finding]:
    sizes, shown = numbers.sizes, numbers.image_size
    if shown is None:
        return
    median = f"half of the pictures are below {sizes.median[1]}x{sizes.median[0]}, image_size is {shown[1]}x{shown[0]}"
    if all(new > old for new, old in zip(shown, sizes.median, strict=True)):
        yield Finding(ENLARGED, count=1, detail=median, remedy=_remedy(numbers.advice, "enlarged"))
    if is_squeezed(sizes, shown):
        yield Finding(SQUEEZED, count=1, detail=median, remedy=_remedy(numbers.advice, "squeezed"))


def _remedy(advice: Advice | None, reason: str) -> str:
    """With numbers; empty where there is no advice for this reason."""
    if advice is None or reason not in advice.reasons:
        return ""
    if advice.tile is not None:
        return (
            f"{advice.flag} would take {advice.cost:g} times the time and memory; rather train on crops of "
            f"{advice.tile} pixels (--data.image_size null, and a crop in --data.augment), and predict with --tile "
            f"{advice.tile}"
        )
    return f"{advice.flag}, which takes {advice.cost:g} times the time and memory"


def _colours(pictures: Colours, taken: Colours, network: Network) -> Iterator[Finding]:
    channels = list(zip(pictures.mean, pictures.std, taken.mean, taken.std, strict=True))
    means = [(mean - middle) / scale for mean, _, middle, scale in channels]
    deviations = [std / scale for _, std, _, scale in channels]
    if all(abs(mean) <= FAR_MEAN for mean in means) and all(FLAT <= one <= STEEP for one in deviations):
        return
    left = f"a mean of {_numbers(means)} and a deviation of {_numbers(deviations)}"
    detail = f"normalization {network.normalization_name} leaves {left}"
    own = f"--model.normalization '{{mean: {_numbers(pictures.mean)}, std: {_numbers(pictures.std)}}}'"
    remedy = "" if network.is_pretrained else f"{OTHER_COLOURS.remedy}; otherwise {own}"
    yield Finding(OTHER_COLOURS, count=1, detail=detail, remedy=remedy)


def _numbers(values: tuple[float, ...] | list[float]) -> str:
    return f"[{', '.join(f'{value:.3g}' for value in values)}]"
