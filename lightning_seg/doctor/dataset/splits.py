"""Findings about how pictures are divided between training, validation and test."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.datasets.facts import PictureFacts
from lightning_seg.doctor.dataset.labels import amounts_in
from lightning_seg.doctor.dataset.shifts import Sample, find_shifts
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.subject import Look, Pictures, Subject
from lightning_seg.numbers import count_of

GROUPS = Kind(
    "group-in-two-splits",
    "error",
    "pictures of one group, as of one car, patient or place, lie in two splits",
    "the score is too good: it tells how well the network knows what it was trained on, not what is new to it",
    "keep groups together: --data.split_by car for Carvana, --data.group for your own pictures; or correct the lists",
)
SHIFT = Kind(
    "splits-differ",
    "warning",
    "pictures to validate or test on are darker, smaller or of other classes than those to train on",
    "the score tells about other pictures than those that the network learns from; it is lower, and its best epoch may "
    "not be the best one",
    "if it is meant, nothing: tests on other places or times do so; otherwise draw the splits anew: --data.seed, "
    "or leave the lists out",
)
KINDS = (GROUPS, SHIFT)
QUANTITIES = ("brightness", "side", "width by height")
"""Mean grey from 0 to 1; the root of the area in pixels."""
PURPOSES = {"val": "validate", "test": "test"}


def check_splits(subject: Subject) -> Iterator[Finding]:
    """Whether pictures that belong together are divided, and splits differ by more than chance."""
    yield from _groups(subject)
    yield from _shifts(subject)


def _groups(subject: Subject) -> Iterator[Finding]:
    members: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for split, dataset in subject.splits.items():
        for record in dataset.records:
            group = subject.group(record)
            if group is not None:
                members[group][split].append(str(dataset.image_path(record)))
    divided = {group: by_split for group, by_split in members.items() if len(by_split) > 1}
    if divided:
        files = [path for by_split in divided.values() for paths in by_split.values() for path in paths]
        name, by_split = next(iter(divided.items()))
        counts = " and ".join(f"{len(paths)} in {split}" for split, paths in by_split.items())
        detail = f"{len(divided)} of {count_of(len(members), 'group')}; {name} has {counts}"
        yield Finding(GROUPS, files, count=len(divided), detail=detail, figures={"names": sorted(divided)})


def _shifts(subject: Subject) -> Iterator[Finding]:
    samples = _samples(subject)
    train = samples.pop("train", None)
    if train is None:
        return
    shifts = find_shifts(train, samples, subject.class_names)
    if shifts:
        lines = [
            f"{shift.quantity}: {shift.trained} to train on, {shift.other} to {PURPOSES[shift.split]} on"
            for shift in shifts
        ]
        figures = {"shifts": [shift._asdict() for shift in shifts]}
        yield Finding(SHIFT, count=len(shifts), detail="; ".join(lines), figures=figures)


def _samples(subject: Subject) -> dict[str, Sample]:
    """What is compared, for each split with pictures that can be read."""
    numbers: dict[Any, int] = {}
    tables = {
        split: np.full((len(dataset), len(QUANTITIES) + len(subject.class_names)), np.nan, np.float32)
        for split, dataset in subject.splits.items()
    }
    groups = {split: np.zeros(len(table), np.int64) for split, table in tables.items()}
    for look in subject.looks():
        group = subject.group(subject.record(look))
        key = (look.split, look.number) if group is None else group
        groups[look.split][look.number] = numbers.setdefault(key, len(numbers))
        if not look.picture.problem:
            tables[look.split][look.number] = [*_quantities(look.picture), *_shares(subject, look)]
    return {
        split: _sample(subject, tables[split], groups[split], _is_labelled(dataset))
        for split, dataset in subject.splits.items()
        if len(dataset)
    }


def _quantities(picture: PictureFacts) -> tuple[float, float, float]:
    return picture.mean, (picture.height * picture.width) ** 0.5, picture.width / picture.height


def _shares(subject: Subject, look: Look) -> NDArray[np.float64]:
    """Of each class in the mask, among the objects, or 1 for the class of the picture."""
    held = amounts_in(subject, look)
    if held is None or not held.any():
        return np.full(len(subject.class_names), np.nan)
    return np.asarray(held / held.sum(), np.float64)


def _is_labelled(dataset: Pictures) -> bool:
    """Whether each picture is of one class."""
    return hasattr(dataset, "label")


def _sample(subject: Subject, table: NDArray[np.float32], groups: NDArray[np.int64], is_labelled: bool) -> Sample:
    """One row for each group: pictures of one group are alike, so they count as one."""
    rows = means_of_groups(table, groups)
    shares = rows[:, len(QUANTITIES) :]
    values = dict(zip(QUANTITIES, rows[:, : len(QUANTITIES)].T, strict=True))
    if is_labelled:
        known = ~np.isnan(shares).any(axis=1)
        return Sample(values, shares[known].argmax(axis=1))
    return Sample(values | {f"share of {name}": shares[:, i] for i, name in enumerate(subject.class_names)}, None)


def means_of_groups(table: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Means over the known values of each group, ``(groups, columns)``; NaN where none is known."""
    names, places = np.unique(groups, return_inverse=True)
    number = len(names)
    columns = []
    for column in table.T:
        known = ~np.isnan(column)
        sums = np.bincount(places[known], column[known], number)
        counts = np.bincount(places[known], minlength=number)
        columns.append(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))
    return np.stack(columns, axis=1)
