"""Findings about pictures that a dataset holds more than once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lightning_seg.batch import Split
from lightning_seg.doctor.dataset.copies import DISTANCE, Copies, Seen, find_copies
from lightning_seg.doctor.dataset.truths import disagreement
from lightning_seg.doctor.findings import Finding, Kind, Shown
from lightning_seg.doctor.subject import Subject
from lightning_seg.numbers import count_of

LEAKS = "the score on them is too good: the network has seen them in training, or its best epoch was chosen by them"
KEEP_TOGETHER = (
    "remove all but one of each, or bring them into one split: folders or lists per split, or --data.group where their "
    "names tell"
)
KEEP_ONE = "remove all but one of each, unless it is meant to count more"
SAME_BETWEEN = Kind("copies-between-splits", "error", "files of the same bytes lie in two splits", LEAKS, KEEP_TOGETHER)
NEAR_BETWEEN = Kind(
    "near-copies-between-splits",
    "error",
    "a photo lies in two splits: resized, saved again, cropped a little, recoloured or mirrored",
    LEAKS,
    KEEP_TOGETHER,
)
SAME_WITHIN = Kind(
    "copies-in-a-split",
    "warning",
    "files of the same bytes, all in one split",
    "the picture counts several times, in training and in the score; another seed may divide them between splits",
    KEEP_ONE,
)
NEAR_WITHIN = Kind(
    "near-copies-in-a-split",
    "warning",
    "a photo lies there twice: resized, saved again, cropped a little, recoloured or mirrored",
    SAME_WITHIN.effect,
    KEEP_ONE,
)
TWO_LABELS = Kind(
    "same-picture-two-labels",
    "error",
    "a picture has two labels, or two masks that differ in more than their edges",
    "whatever the network answers, it is wrong once; what it learns of the picture depends on chance",
    "look at the pictures, keep the right label or mask and remove the other file",
)
MANY_ALIKE = Kind(
    "many-pictures-alike",
    "note",
    "photos of one studio, frames of one film, slices of one body",
    "only the most similar pictures were compared by their pixels: copies that were cropped may be missing above",
    "nothing, if pictures taken together are in one split: --data.group keeps them there",
)
PURPOSES: Mapping[Split, str] = {"val": "validate", "test": "test"}
SLIGHT = 0.05
"""Share of a split below which what it shares with another changes its score by less than another seed does."""
KINDS = (SAME_BETWEEN, NEAR_BETWEEN, TWO_LABELS, SAME_WITHIN, NEAR_WITHIN, MANY_ALIKE)


class Where(NamedTuple):
    """A picture of a dataset."""

    split: Split
    number: int  # position in the split
    path: str


def check_duplicates(subject: Subject) -> Iterator[Finding]:
    """Pictures that lie there twice, in two splits, or with two labels."""
    places, seen = _readable(subject)
    copies = find_copies(seen)
    yield from _copies(subject, places, copies)
    yield from _two_labels(subject, places, copies)
    if copies.distance < DISTANCE:
        detail = f"their hashes differ in at most {copies.distance} of 64 bits, usually {DISTANCE}"
        yield Finding(MANY_ALIKE, count=len(places), detail=detail)


def _readable(subject: Subject) -> tuple[list[Where], list[Seen]]:
    """The pictures that can be compared."""
    places, seen = [], []
    for look in subject.looks():
        path, digest, hashed = look.picture.path, look.picture.digest, look.picture.look
        if digest is None or hashed is None:
            continue
        places.append(Where(look.split, look.number, path))
        seen.append(Seen(path, digest, hashed))
    return places, seen


def _copies(subject: Subject, places: Sequence[Where], copies: Copies) -> Iterator[Finding]:
    same = copies.groups(same_bytes=True)
    digests = {position: group[0] for group in same for position in group}
    near = [group for group in copies.groups() if len({digests.get(position, position) for position in group}) > 1]
    for groups, between, within in ((same, SAME_BETWEEN, SAME_WITHIN), (near, NEAR_BETWEEN, NEAR_WITHIN)):
        spread = [group for group in groups if len({places[position].split for position in group}) > 1]
        inside = [group for group in groups if len({places[position].split for position in group}) == 1]
        if spread:
            leaked = _leaked(places, spread)
            finding = _finding(between, subject, places, spread, _describe_leaks(subject, leaked))
            shares = [number / len(subject.splits[split]) for split, number in leaked.items()]
            yield replace(finding, is_slight=max(shares, default=0.0) < SLIGHT)
        if inside:
            more = sum(len(group) - 1 for group in inside)
            yield _finding(
                within, subject, places, inside, f"{more} of {count_of(len(places), 'picture')} can be spared"
            )


def _leaked(places: Sequence[Where], groups: Sequence[Sequence[int]]) -> dict[Split, int]:
    """How many pictures of the splits that are measured lie in another split too."""
    leaked: dict[Split, int] = {}
    for split in PURPOSES:
        others = [group for group in groups if any(places[position].split != split for position in group)]
        leaked[split] = sum(places[position].split == split for group in others for position in group)
    return {split: number for split, number in leaked.items() if number}


def _describe_leaks(subject: Subject, leaked: Mapping[Split, int]) -> str:
    return "; ".join(
        f"{number} of {count_of(len(subject.splits[split]), 'picture')} to {PURPOSES[split]} on "
        f"{'lies' if number == 1 else 'lie'} in another split too"
        for split, number in leaked.items()
    )


def _finding(
    kind: Kind, subject: Subject, places: Sequence[Where], groups: Sequence[Sequence[int]], told: str
) -> Finding:
    first, second = _apart(places, groups[0])
    example = f"{_name(subject, first)} in {first.split} and {_name(subject, second)} in {second.split} are the same"
    files = [places[position].path for group in groups for position in group]
    figures = {
        "groups": [
            [{"file": places[position].path, "split": places[position].split} for position in group] for group in groups
        ]
    }
    shown = Shown([[places[position].path for position in group] for group in groups])
    return Finding(kind, files, detail=f"{told}; {example}", figures=figures, shown=shown)


def _apart(places: Sequence[Where], group: Sequence[int]) -> tuple[Where, Where]:
    """Two pictures of a group, if possible of two splits."""
    first = places[group[0]]
    others = [places[position] for position in group[1:]]
    return first, next((other for other in others if other.split != first.split), others[0])


def _two_labels(subject: Subject, places: Sequence[Where], copies: Copies) -> Iterator[Finding]:
    wrong = []
    for copy in copies.links:
        first, second = places[copy.first], places[copy.second]
        one, other = ((subject.splits[place.split], place.number) for place in (first, second))
        if reason := disagreement(one, other, copy):
            wrong.append((first, second, reason))
    if not wrong:
        return
    files = [place.path for first, second, _ in wrong for place in (first, second)]
    lines = [f"{_name(subject, first)} and {_name(subject, second)}: {reason}" for first, second, reason in wrong]
    pairs = [[first.path, second.path] for first, second, _ in wrong]
    figures, shown = {"pairs": pairs, "reasons": lines}, Shown(pairs, lines, masks=True)
    yield Finding(TWO_LABELS, files, count=len(wrong), detail=lines[0], figures=figures, shown=shown)


def _name(subject: Subject, place: Where) -> str:
    path = Path(place.path)
    return str(path.relative_to(subject.root) if path.is_relative_to(subject.root) else path)
