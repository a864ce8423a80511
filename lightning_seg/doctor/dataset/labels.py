"""Findings about masks, labels and boxes."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lightning_seg.doctor.dataset import strays
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.subject import Look, Subject
from lightning_seg.numbers import count_of
from lightning_seg.plots.palette import background_of

MISSING_MASK = Kind(
    "missing-mask",
    "error",
    "a picture has no mask",
    "fit refuses the dataset",
    "add the masks, correct --data.masks, or train without these pictures: --data.unlabelled skip",
    "unlabelled",
)
BY_CAUSE = {
    "missing": MISSING_MASK,
    "size": Kind(
        "mask-of-another-size",
        "error",
        "a mask and its picture differ in size",
        "fit refuses the dataset: nobody knows where the mask lies on the picture",
        "export the mask again at the size of its picture",
    ),
    "kind": Kind(
        "colours-for-numbers",
        "error",
        "a mask is in colour and the classes are numbers, or the reverse",
        "fit refuses the dataset",
        "give --data.mask_values what the masks hold for each class, in the order of --data.classes",
    ),
    "annotation": Kind(
        "wrong-annotation",
        "error",
        "an outline or run lengths are none of their picture",
        "fit refuses the dataset",
        "correct the annotation in the labelling tool, and export it again",
    ),
    "unreadable": Kind(
        "unreadable-mask", "error", "a mask cannot be read", "fit refuses the dataset", "export the mask again as PNG"
    ),
}
EMPTY = Kind(
    "one-class-only",
    "note",
    "a mask holds one class and nothing else",
    "right for pictures without an object; a mask that was never painted looks the same and teaches to miss objects",
    "look at the files; remove those that were not painted",
)
FULL = Kind(
    "full-mask",
    "warning",
    "a mask is filled with one class and has no background",
    "right for close-ups; a mask of the wrong threshold or with its values swapped looks the same, and teaches to find "
    "the object everywhere",
    "look at the files; remove or correct those that are wrong",
)
IGNORED = Kind(
    "nothing-counts",
    "warning",
    "all pixels of a mask are ignored",
    "the picture teaches nothing and costs its time",
    "correct --data.ignore_values, or remove the pictures",
)
NO_CLASS = Kind(
    "class-in-no-split",
    "error",
    "a class has no pixel and no picture anywhere",
    "the network learns that it never occurs, and its score counts in no mean",
    "take the class out of --data.classes, or add pictures of it",
)
MISSING_IN_SPLIT = Kind(
    "class-missing-in-split",
    "warning",
    "a class is in the training pictures and not in those to validate or test on, or the reverse",
    "a class that is not trained is never found; one that is not measured changes no score",
    "give another --data.seed or a larger fraction, or list the pictures of the splits",
)
RARE = Kind(
    "rare-class",
    "note",
    "a class has few pixels or pictures to train on",
    "its score varies with every seed",
    "weight the classes: --model.class_weights auto; or add pictures of it",
)
RARE_IN_SPLIT = Kind(
    "rare-class-in-split",
    "note",
    "a class is in few of the pictures to validate or test on",
    "its score jumps from one epoch and one seed to the next, and the mean of all classes with it",
    "give a larger --data.val_fraction or --data.test_fraction, or do not read much into the score of this class",
)
KINDS = (*BY_CAUSE.values(), EMPTY, FULL, IGNORED, NO_CLASS, MISSING_IN_SPLIT, RARE, RARE_IN_SPLIT)
FEW_PICTURES, SMALL_SHARE = 5, 0.001
"""Pictures of a split and share of the pixels below which a class is rare."""
PURPOSES = {"train": "train", "val": "validate", "test": "test"}
NAMED = 10
"""Classes that a line names."""


def check_labels(subject: Subject) -> Iterator[Finding]:
    """What masks and labels are like, each by itself and together."""
    yield from strays.check_strays(subject)
    yield from _masks(subject)
    yield from _classes(subject)


def _masks(subject: Subject) -> Iterator[Finding]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    first: dict[str, str] = {}
    background = background_of(subject.class_names)
    for look in subject.looks():
        if look.mask is None:
            continue
        for kind in _kinds_of(look, background):
            by_kind[kind.name].append(look.mask.path)
            first.setdefault(kind.name, look.mask.problem)
    for kind in (*BY_CAUSE.values(), EMPTY, FULL, IGNORED):
        if files := by_kind.get(kind.name):
            skipped = kind.skipped_by in subject.skips
            yield Finding(kind, files, detail=first[kind.name], is_skipped=skipped)


def _kinds_of(look: Look, background: int | None) -> Iterator[Kind]:
    assert look.mask is not None
    if look.mask.cause:
        # A picture that cannot be read is a finding about the picture.
        if not look.picture.problem and look.mask.cause in BY_CAUSE:
            yield BY_CAUSE[look.mask.cause]
        return
    classes = np.flatnonzero(pixels_of(look)).tolist()
    if not classes:
        yield IGNORED
    elif len(classes) == 1:
        yield EMPTY if background in (None, classes[0]) else FULL


def pixels_of(look: Look) -> NDArray[np.int64]:
    """Pixels of each class in a mask that can be used."""
    assert look.mask is not None
    return np.array(look.mask.counts.split(), np.int64)


def _classes(subject: Subject) -> Iterator[Finding]:
    if not _is_mostly_usable(subject):
        # What classes there are is told by few pictures, and a finding would follow from another one.
        return
    pictures, shares = class_counts(subject)
    names = subject.class_names
    total = sum(pictures.values(), start=np.zeros(len(names), np.int64))
    yield from _listed(NO_CLASS, [name for name, count in zip(names, total, strict=True) if count == 0], ", ")
    missing = [
        f"{name}: none to {PURPOSES[split]} on"
        for split, counts in pictures.items()
        for name, here, anywhere in zip(names, counts, total, strict=True)
        if here == 0 and anywhere and counts.any()
    ]
    yield from _listed(MISSING_IN_SPLIT, missing)
    if "train" in pictures:
        yield from _listed(RARE, list(_rare(subject, pictures["train"].tolist(), shares)), ", ")
    small = [
        line
        for split, dataset in subject.splits.items()
        if split != "train"
        for line in rare_in(split, len(dataset), names, pictures[split].tolist())
    ]
    yield from _listed(RARE_IN_SPLIT, small)


def _listed(kind: Kind, lines: Sequence[str], between: str = "; ") -> Iterator[Finding]:
    """A finding with a line for each class, the first of them in its detail; none without lines."""
    if lines:
        more = [f"and {len(lines) - NAMED} more"] * (len(lines) > NAMED)
        yield Finding(kind, count=len(lines), detail=between.join([*lines[:NAMED], *more]), figures={"classes": lines})


def _rare(subject: Subject, counts: Sequence[int], shares: NDArray[np.float64]) -> Iterator[str]:
    dataset = subject.splits["train"]
    counted = "pixels" if dataset.has_masks else "pictures" if hasattr(dataset, "label") else "boxes"
    for name, count, share in zip(subject.class_names, counts, shares, strict=True):
        if 0 < count < FEW_PICTURES or 0 < share < SMALL_SHARE:
            yield f"{name} ({count_of(count, 'picture')}, {share:.2%} of the {counted})"


def _is_mostly_usable(subject: Subject) -> bool:
    """Whether most pictures of every split can be used, with their masks."""
    usable, number = Counter[str](), Counter[str]()
    for look in subject.looks():
        number[look.split] += 1
        usable[look.split] += not (look.picture.problem or (look.mask is not None and look.mask.problem))
    return all(2 * usable[split] > number[split] for split in number)


def rare_in(split: str, number: int, names: Sequence[str], counts: Sequence[int]) -> Iterator[str]:
    """A line for each rare class of a split, or one where all are rare: the split is small, and not the classes."""
    present = [count for count in counts if count]
    if len(present) > 1 and max(present) < FEW_PICTURES:
        least, most = min(present), max(present)
        span = f"{most}" if least == most else f"{least} to {most}"
        yield f"each of {len(present)} classes: {span} of {count_of(number, 'picture')} to {PURPOSES[split]} on"
        return
    for name, count in zip(names, counts, strict=True):
        if 0 < count < FEW_PICTURES:
            yield f"{name}: {count_of(count, 'picture')} to {PURPOSES[split]} on"


def class_counts(subject: Subject) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.float64]]:
    """Pictures of each split that hold each class, and each class's share of what is trained on, pixels or pictures."""
    number = len(subject.class_names)
    pictures = {str(split): np.zeros(number, np.int64) for split in subject.splits}
    weights = np.zeros(number, np.float64)
    for look in subject.looks():
        held = amounts_in(subject, look)
        if held is None:
            continue
        pictures[look.split] += held > 0
        if look.split == "train":
            weights += held
    return pictures, weights / max(1.0, weights.sum())


def amounts_in(subject: Subject, look: Look) -> NDArray[np.int64] | None:
    """What a picture holds of each class: pixels of its mask, or itself; None if nobody knows or it cannot be used."""
    if look.picture.problem or (look.mask is not None and look.mask.problem):
        return None
    if look.mask is not None:
        return pixels_of(look)
    dataset = subject.splits[look.split]
    label = getattr(dataset, "label", None)
    if label is None:
        labels = getattr(subject.record(look), "labels", None)
        return None if labels is None else np.bincount(labels, minlength=len(subject.class_names))
    return np.bincount([label(subject.record(look))], minlength=len(subject.class_names))
