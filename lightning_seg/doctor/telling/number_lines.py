"""The numbers that follow from a dataset, as lines on a terminal."""

from collections.abc import Iterator, Sequence
from textwrap import fill

from lightning_seg.doctor.advice.network import Colours
from lightning_seg.doctor.advice.numbers import ClassNumbers, Numbers
from lightning_seg.doctor.advice.sizes import REASONS, Size
from lightning_seg.doctor.telling.text_tables import table
from lightning_seg.numbers import count_of

WIDTH = 100
SHOWN = 12
"""Classes with a line; the rarest, where there are more."""


def describe_numbers(numbers: Numbers, width: int = WIDTH) -> list[str]:
    """At most twenty lines of the usual width, whatever the number of classes."""
    return [*_classes(numbers), *(wrapped(line, width) for line in number_sentences(numbers))]


def number_sentences(numbers: Numbers) -> Iterator[str]:
    """What the columns of the classes mean, and all that is no table."""
    yield from _legend(numbers)
    yield from _colours(numbers)
    yield from _sizes(numbers)


def wrapped(line: str, width: int = WIDTH) -> str:
    """In lines of the page's width."""
    return fill(line, width, subsequent_indent="  ", break_on_hyphens=False)


def class_rows(numbers: Numbers, chosen: Sequence[ClassNumbers]) -> list[list[str]]:
    """A heading, and a row for each class."""
    splits, objects, weights = list(numbers.pictures), _has_objects(numbers), _has_weights(numbers)
    heads = ["class", *splits, numbers.counted, *["weight"] * weights, *["smallest"] * objects]
    return [heads, *(_row(one, splits, weights, objects) for one in chosen)]


def _classes(numbers: Numbers) -> Iterator[str]:
    if not numbers.classes:
        return
    chosen, others = list(numbers.classes), []
    if len(chosen) > SHOWN:
        rarest = sorted(chosen, key=_rarity)
        chosen, others = rarest[:SHOWN], rarest[SHOWN:]
    rows = class_rows(numbers, chosen)
    yield from table(rows, "l" + "r" * (len(rows[0]) - 1))
    if others:
        split = next(iter(numbers.pictures))
        pictures = sorted(one.pictures[split] for one in others)
        same = pictures[0] == pictures[-1]
        span = count_of(pictures[0], "picture") if same else f"{pictures[0]} to {count_of(pictures[-1], 'picture')}"
        yield f"and {count_of(len(others), 'more class')} with {span} of {split}{' each' * (len(others) > 1)}"


def _has_objects(numbers: Numbers) -> bool:
    return any(one.smallest is not None for one in numbers.classes)


def _has_weights(numbers: Numbers) -> bool:
    return any(one.weight is not None for one in numbers.classes)


def _legend(numbers: Numbers) -> Iterator[str]:
    told = [f"{numbers.counted}: share of {'those to train on' if 'train' in numbers.pictures else 'all'}"]
    if _has_weights(numbers):
        told.append("weight: what --model.class_weights auto takes")
    if _has_objects(numbers):
        told.append(
            "smallest: short side of small objects at image_size; in one of twenty pictures there is a smaller one"
        )
    if numbers.classes:
        yield "; ".join(told)


def _rarity(one: ClassNumbers) -> tuple[float, int]:
    return one.share, sum(one.amounts.values())


def _row(one: ClassNumbers, splits: Sequence[str], weights: bool, objects: bool) -> list[str]:
    weight = "" if one.weight is None else f"{one.weight:.3g}"
    smallest = "" if one.pixels_left is None else f"{one.pixels_left:.1f} px"
    counts = [str(one.pictures[split]) for split in splits]
    return [one.name, *counts, f"{one.share:.2%}", *[weight] * weights, *[smallest] * objects]


def _colours(numbers: Numbers) -> Iterator[str]:
    if numbers.colours is not None:
        taken = "" if numbers.normalization is None else f"; the network takes {_spread(numbers.normalization)}"
        yield f"red, green, blue of the training pictures, 0 to 1: {_spread(numbers.colours)}{taken}"


def _spread(colours: Colours) -> str:
    mean, std = (" ".join(f"{value:.3f}" for value in values) for values in (colours.mean, colours.std))
    return f"mean {mean}, deviation {std}"


def _sizes(numbers: Numbers) -> Iterator[str]:
    sizes, shown, advice = numbers.sizes, numbers.image_size, numbers.advice
    yield (
        f"width x height: {_wide(sizes.smallest)} to {_wide(sizes.largest)}, median {_wide(sizes.median)}, "
        f"{sizes.landscape:.0%} of the pictures are wider than high"
    )
    if shown is None:
        yield "image_size is null: pictures are shown as they are"
    elif advice is None:
        yield f"image_size {_wide(shown)}: nothing better is known"
    else:
        reasons = ", and ".join(REASONS[reason] for reason in advice.reasons)
        cost = f"{advice.cost:g} times the time and memory"
        yield f"image_size {_wide(shown)}; {advice.flag} would suit better: {reasons}; {cost}"
        if advice.tile is not None:
            yield f"that is much: rather train on crops of {advice.tile} pixels, and predict with --tile {advice.tile}"


def _wide(size: Size) -> str:
    return f"{size[1]}x{size[0]}"
