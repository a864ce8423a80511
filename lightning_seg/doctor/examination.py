"""Findings about a dataset as a whole. All checks in their order."""

import logging
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
from lightning_seg.doctor.own_data import about_samples, name_of
from lightning_seg.doctor.own_samples import UNSEEN, UnseenError
from lightning_seg.doctor.subject import Facts, Pictures, Subject
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.marker import is_synthetic

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
    "fit ends with this line; so does test, where nothing can be trained on",
    "nothing can be trained or tested, and what lies behind it was not looked at",
    "as the line says",
)
NOTHING_TO_TEST = Kind(
    "nothing-to-test",
    "note",
    "test ends with this line",
    "the network cannot be measured on pictures that it has not seen",
    "as the line says",
)
PASSED_OVER = Kind(
    "files-passed-over",
    "warning",
    "files lie among the pictures, and no split takes them",
    "nobody trains or tests on them: their suffix is not that of --data.images, they lie in a folder too "
    "much or beside the folders of classes, are no pictures, or a link to a folder leads to nothing",
    "move or rename them, or take all pictures of a folder with --data.images 'images/*'; nothing if they are left out "
    "on purpose",
)
SYNTHETIC = Kind(
    "synthetic-pictures",
    "note",
    "the folder holds pictures that lightning-seg has written, not the real dataset",
    "a training works, and its result says nothing about real pictures",
    "give the folder of the real ones with --data.root, or say so: --data.source synthetic",
)
KINDS = (REFUSED, NOTHING_TO_TEST, PASSED_OVER, SYNTHETIC)
LISTING = (
    *("lightning_seg.datamodules.data_module", "lightning_seg.datamodules.image_folder"),
    *("lightning_seg.datamodules.image_mask_folder", "lightning_seg.datamodules.mask_origins"),
    "lightning_seg.datasets.coco_objects",
)
"""Modules that tell a training by log lines what is a finding here."""


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
        yield Subject(root, class_names, {}, {}, data.group, name=name_of(data)), refused
        return
    with opened_store(folder_of_caches(root, data.cache_dir), root) as store:
        facts = {split: Facts(store, dataset) for split, dataset in splits.items()}
        yield Subject(root, class_names, splits, facts, data.group, skips, name_of(data)), refused


def _check_nothing(data: DataModule[Any]) -> None:
    data.file_checks.checks = False
    for name, value in TOLERANT.items():
        if hasattr(data, name):
            setattr(data, name, value)


def _splits_of(data: DataModule[Any], skips: Collection[str]) -> tuple[dict[Split, Pictures], list[Finding]]:
    _check_nothing(data)
    data.prepare_data()
    with hushed(*LISTING):
        found = list(_set_up(data))
    if bare := data.left_out.get("unlabelled"):
        found.append(Finding(MISSING_MASK, bare, is_skipped="unlabelled" in skips))
    found += about_samples(data)
    if data.passed_over:
        found.append(Finding(PASSED_OVER, data.passed_over))
    if data.source == "real" and is_synthetic(data.root):
        found.append(Finding(SYNTHETIC, count=1))
    order: tuple[Split, ...] = ("train", "val", "test")
    return {split: data.datasets[split] for split in order if split in data.datasets}, found


def _set_up(data: DataModule[Any]) -> Iterator[Finding]:
    """Both stages; why one of them is refused."""
    if not data.trains:
        data.read_original_sizes()
    told = set()
    for stage, kind in zip(STAGES, (REFUSED, NOTHING_TO_TEST), strict=True):
        if stage == "fit" and not data.trains:
            continue
        try:
            data.setup(stage)
        except (ConfigError, DataError) as error:
            # Both stages may end for the same reason.
            if isinstance(error, UnseenError):
                yield Finding(UNSEEN, count=1, detail=str(error))
            elif str(error) not in told:
                yield Finding(kind if data.trains else REFUSED, count=1, detail=str(error))
            told.add(str(error))


@contextmanager
def hushed(*names: str) -> Iterator[None]:
    """Without the log lines of these modules and rooms, which are meant for a training."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
