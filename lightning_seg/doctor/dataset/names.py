"""Findings about names of files: those that other systems take for one, and masks of no picture."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from lightning_seg.datasets.facts import mask_name
from lightning_seg.datasets.names import is_there
from lightning_seg.doctor.findings import Finding, Kind, Shown
from lightning_seg.doctor.subject import Subject
from lightning_seg.spelling import same

ALIKE = Kind(
    "names-alike",
    "warning",
    "two names in a folder differ only in upper and lower case, or in how an accent is stored",
    "here they are two files; copied to Windows or macOS, one replaces the other",
    "give one of them another name",
)
BARE_MASKS = Kind(
    "mask-without-picture",
    "note",
    "a file among the masks belongs to no picture of any split",
    "nobody trains on it; perhaps its picture is missing, or called otherwise",
    "restore the pictures, or correct --data.images and --data.masks; nothing if they are left out on purpose",
)
KINDS = (ALIKE, BARE_MASKS)


def check_names(subject: Subject) -> Iterator[Finding]:
    """Names of pictures and masks."""
    pictures = {dataset.image_path(record) for dataset in subject.splits.values() for record in dataset.records}
    masks = set(_masks_of(subject))
    groups = _alike([*pictures, *masks])
    if groups:
        files = [str(path) for group in groups for path in group]
        shown = Shown([[str(path) for path in group] for group in groups])
        yield Finding(ALIKE, files, count=len(groups), shown=shown)
    if bare := _bare(masks, pictures):
        yield Finding(BARE_MASKS, [str(path) for path in bare])


def _masks_of(subject: Subject) -> Iterator[Path]:
    for dataset in subject.splits.values():
        if dataset.has_masks:
            paths = (Path(mask_name(dataset, record)) for record in dataset.records)  # type: ignore[arg-type]
            yield from (path for path in paths if is_there(path))


def _alike(paths: Iterable[Path]) -> list[list[Path]]:
    """Groups of different files whose names are one for a system that knows no case."""
    found: dict[str, set[Path]] = defaultdict(set)
    files = list(paths)
    # Folders, too: two classes would become one.
    for path in {*files, *(path.parent for path in files)}:
        found[same(str(path)).casefold()].add(path)
    return sorted(sorted(group) for group in found.values() if len(group) > 1)


def _bare(masks: set[Path], pictures: set[Path]) -> list[Path]:
    """Files beside the masks, with the suffix of one, that are neither mask nor picture."""
    suffixes, known = {path.suffix.lower() for path in masks}, masks | pictures
    beside = (path for folder in {path.parent for path in masks} for path in folder.iterdir())
    return sorted(
        path
        for path in beside
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path not in known
    )
