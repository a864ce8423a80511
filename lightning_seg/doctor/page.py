"""What terminal and report both show of a dataset: its tables, as text."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lightning_seg.doctor.findings import SEVERITIES, Finding
from lightning_seg.doctor.numbers import ClassNumbers, Numbers
from lightning_seg.doctor.sizes import REASONS
from lightning_seg.doctor.summary import Sides, Summary
from lightning_seg.files import printable

FORMATS = 5
"""Formats that are named."""
CHANNELS = ("red", "green", "blue")


class Table(NamedTuple):
    """Rows of cells; the first one names its row."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def splits_table(summary: Summary) -> Table:
    """A row for each split."""
    rows = [
        (one.name, str(one.pictures), str(one.unusable) if one.unusable else "", describe_sizes(one.sizes))
        for one in summary.splits
    ]
    return Table("splits", ("split", "pictures", "unusable", "width x height"), tuple(rows))


def classes_table(numbers: Numbers) -> Table:
    """A row for each class; columns that say nothing are left out."""
    columns: dict[str, list[str]] = {"class": [one.name for one in numbers.classes]}
    for split in numbers.pictures:
        columns[split] = [str(one.pictures[split]) for one in numbers.classes]
    columns[f"share of {numbers.counted}"] = [f"{one.share:.2%}" for one in numbers.classes]
    columns["weight"] = [_number(one.weight, 3) for one in numbers.classes]
    columns["smallest, pixels"] = [_number(one.pixels_left, 1) for one in numbers.classes]
    told = {head: cells for head, cells in columns.items() if any(cells)}
    caption = f"classes: pictures in each split, share of the {numbers.counted} to train on"
    caption += ", weight of --model.class_weights auto" if "weight" in told else ""
    caption += f", short side of the smallest objects {_at(numbers)}" if "smallest, pixels" in told else ""
    return Table(caption, tuple(told), tuple(zip(*told.values(), strict=True)))


def _at(numbers: Numbers) -> str:
    return "in the files" if numbers.image_size is None else f"at {_size(numbers.image_size)}"


def colours_table(numbers: Numbers) -> Table | None:
    """Mean and deviation of the training pictures, and what the network takes them to be."""
    if numbers.colours is None:
        return None
    sets = {"": numbers.colours} | ({", assumed": numbers.normalization} if numbers.normalization else {})
    heads = [f"{name}{which}" for which in sets for name in ("mean", "deviation")]
    parts = [part for one in sets.values() for part in (one.mean, one.std)]
    rows = [(channel, *(f"{part[index % len(part)]:.3f}" for part in parts)) for index, channel in enumerate(CHANNELS)]
    return Table("colours of the training pictures, 0 to 1", ("channel", *heads), tuple(rows))


def size_advice(numbers: Numbers) -> str:
    """A sentence with the size to train at; empty where nothing better is known."""
    advice = numbers.advice
    if advice is None or numbers.image_size is None:
        return ""
    why = ", and ".join(REASONS[reason] for reason in advice.reasons)
    tiles = f"; or in tiles: --tile {advice.tile}" if advice.tile else ""
    return (
        f"pictures are shown at {_size(numbers.image_size)}; {advice.flag} would be better: {why}; a step takes "
        f"{advice.cost:g} times as long{tiles}"
    )


def many_classes(classes: Sequence[ClassNumbers], split: str) -> str:
    """Where there are too many classes for a line each."""
    ordered = sorted(classes, key=lambda one: one.pictures[split])
    middle = ordered[len(ordered) // 2].pictures[split]
    ends = [", ".join(f"{one.name} {one.pictures[split]}" for one in part) for part in (ordered[:5], ordered[:-6:-1])]
    return f"pictures of each class in {split}: fewest {ends[0]}; median {middle}; most {ends[1]}"


def describe_formats(summary: Summary) -> str:
    """The most frequent formats of the pictures that can be read."""
    shown = ", ".join(f"{number} {name}" for name, number in summary.formats[:FORMATS])
    return f"{shown}, and others" if len(summary.formats) > FORMATS else shown


def describe_sizes(sizes: Sides) -> str:
    """Smallest, median and largest, by area, as width x height."""
    if not len(sizes):
        return ""
    order = np.argsort(sizes.astype(np.int64).prod(axis=1), kind="stable")
    small, middle, large = (_size(size) for size in sizes[order[[0, len(order) // 2, -1]]].tolist())
    return small if small == large else f"{small} to {large}, median {middle}"


def shown_name(name: str, root: Path) -> str:
    """A file's path below the root, without control characters."""
    path = Path(name)
    return printable(str(path.relative_to(root) if path.is_relative_to(root) else path))


def count_of(number: int, name: str) -> str:
    """``1 class``, ``2 classes``."""
    plural = "" if number == 1 else "es" if name.endswith("s") else "s"
    return f"{number} {name}{plural}"


def verdict(findings: Iterable[Finding]) -> str:
    """One line: how many of which severity, and whether a training would suffer."""
    counts = Counter(finding.severity for finding in findings)
    told = ", ".join(count_of(counts[severity], severity) for severity in SEVERITIES)
    return (
        f"{told}: {'a training would end or be spoilt' if counts['error'] else 'nothing would end or spoil a training'}"
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _size(size: Sequence[int]) -> str:
    return f"{size[1]}x{size[0]}"
