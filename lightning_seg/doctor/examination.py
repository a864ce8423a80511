"""Findings about a dataset as a whole. All checks in their order."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from lightning_seg.batch import Split
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datasets.cache_folders import folder_of_caches
from lightning_seg.datasets.fact_store import opened_store
from lightning_seg.doctor.dataset.boxes import check_boxes
from lightning_seg.doctor.dataset.duplicates import check_duplicates
from lightning_seg.doctor.dataset.labels import MISSING_MASK, check_labels
from lightning_seg.doctor.dataset.names import check_names
from lightning_seg.doctor.dataset.pictures import check_pictures
from lightning_seg.doctor.dataset.splits import check_splits
from lightning_seg.doctor.findings import Finding, Kind, worst_first
from lightning_seg.doctor.subject import Facts, Pictures, Subject
from lightning_seg.errors import ConfigError, DataError

Check = Callable[[Subject], Iterable[Finding]]
CHECKS: tuple[Check, ...] = (
    check_pictures,
    check_names,
    check_labels,
    check_boxes,
    check_duplicates,
    check_splits,
)
TOLERANT = {"check_masks": False, "unlabelled": "skip"}
"""Arguments of datamodules with which one wrong file does not hide the others."""
MAY_SKIP = ("unreadable", "unlabelled")
"""Arguments that may say that pictures are left out."""
STAGES = ("fit", "test")
REFUSED = Kind(
    "dataset-refused",
    "error",
    "fit ends with this line",
    "nothing can be trained, and what lies behind it was not looked at",
    "as the line says",
)
NOTHING_TO_TEST = Kind(
    "nothing-to-test",
    "note",
    "test ends with this line",
    "the network cannot be measured on pictures that it has not seen",
    "as the line says",
)
KINDS = (REFUSED, NOTHING_TO_TEST)


def examine(subject: Subject) -> list[Finding]:
    """All findings about a dataset, the worst first; none where no split can be looked at."""
    if not subject.splits:
        return []
    return worst_first([finding for check in CHECKS for finding in check(subject)])


@contextmanager
def opened_subject(data: DataModule[Any]) -> Iterator[tuple[Subject, list[Finding]]]:
    """A datamodule's dataset, and why parts of it cannot be looked at.

    The datamodule is set up without its own checks, so that one wrong file does not hide the others.
    """
    skips = frozenset(name for name in MAY_SKIP if getattr(data, name, "") == "skip")
    splits, refused = _splits_of(data, skips)
    root, class_names = data.root, tuple(getattr(data, "class_names", ()))
    if not splits:
        # Nothing is written into a folder that may not exist.
        yield Subject(root, class_names, {}, {}, data.group), refused
        return
    with opened_store(folder_of_caches(root, data.cache_dir), root) as store:
        facts = {split: Facts(store, dataset) for split, dataset in splits.items()}
        yield Subject(root, class_names, splits, facts, data.group, skips), refused


def _check_nothing(data: DataModule[Any]) -> None:
    data.file_checks.checks = False
    for name, value in TOLERANT.items():
        if hasattr(data, name):
            setattr(data, name, value)


def _splits_of(data: DataModule[Any], skips: Collection[str]) -> tuple[dict[Split, Pictures], list[Finding]]:
    _check_nothing(data)
    data.prepare_data()
    refused: list[Finding] = []
    if not data.trains:
        data.read_original_sizes()
    for stage, kind in zip(STAGES, (REFUSED, NOTHING_TO_TEST), strict=True):
        if stage == "fit" and not data.trains:
            continue
        try:
            data.setup(stage)
        except (ConfigError, DataError) as error:
            # Both stages may end for the same reason.
            if str(error) not in (finding.detail for finding in refused):
                refused.append(Finding(kind, count=1, detail=str(error)))
    if bare := data.left_out.get("unlabelled"):
        refused.append(Finding(MISSING_MASK, bare, is_skipped="unlabelled" in skips))
    order: tuple[Split, ...] = ("train", "val", "test")
    return {split: data.datasets[split] for split in order if split in data.datasets}, refused
