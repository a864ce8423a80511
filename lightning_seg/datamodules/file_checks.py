"""Every picture is read once before the first batch, so that no training ends in its middle for a broken file."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from lightning_seg.datamodules.slow_checks import says_when_slow
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.datasets.cache_folders import folder_of_caches
from lightning_seg.datasets.fact_store import opened_store
from lightning_seg.datasets.facts import PictureFacts
from lightning_seg.errors import ConfigError, DataError

log = logging.getLogger(__name__)
Unreadable = Literal["error", "skip"]
MAX_NAMED = 3
SPLITS_OF: Mapping[str, tuple[str, ...]] = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
"""The splits that a stage reads."""


class FileChecks:
    """Reads pictures before a stage begins, each once for all runs, since what is seen is remembered.

    Args:
        checks: whether anything is read ahead.
        unreadable: what is done about a picture that cannot be read: ``error`` refuses the dataset, ``skip`` leaves the
            picture out.

    Raises:
        ConfigError: if the two contradict each other, or there is no such choice.
    """

    def __init__(self, checks: bool, unreadable: Unreadable) -> None:
        self.checks = checks
        self.unreadable: Unreadable = check_choice("unreadable", unreadable)
        if unreadable == "skip" and not checks:
            raise ConfigError("unreadable skip has to read the pictures first; leave check_pictures false out")
        self.left_out: dict[str, list[str]] = {}
        """Paths of pictures that are left out, by reason."""
        self._checked: set[str] = set()

    def check(
        self,
        splits: Iterable[str],
        datasets: Mapping[str, PictureDataset[Any, Any]],
        root: Path,
        cache_dir: Path | None,
    ) -> None:
        """Read the pictures of some splits, unless they have been read.

        Args:
            splits: their names.
            datasets: the pictures of each split that there is.
            root: folder of the dataset.
            cache_dir: folder for caches, beside which it is remembered, in place of one in ``root``.

        Raises:
            DataError: see ``leave_out_unreadable``.
        """
        todo = [split for split in splits if split in datasets and split not in self._checked]
        if not todo or not self.checks:
            return
        with opened_store(folder_of_caches(root, cache_dir), root) as store:
            for split in todo:
                with says_when_slow(f"{len(datasets[split])} pictures", "check_pictures"):
                    facts = store.pictures(datasets[split])
                gone = leave_out_unreadable(datasets[split], facts, split, self.unreadable)
                self.leave_out("unreadable", gone)
                self._checked.add(split)

    def leave_out(self, reason: str, paths: Sequence[str]) -> None:
        """Remember pictures that take no part."""
        if paths:
            self.left_out.setdefault(reason, []).extend(paths)


def check_choice(name: str, value: Unreadable) -> Unreadable:
    """The value. Raises ConfigError if it is neither ``error`` nor ``skip``."""
    if value not in get_args(Unreadable):
        raise ConfigError(f"{name} {value!r} does not exist; choose {' or '.join(get_args(Unreadable))}")
    return value


def leave_out_unreadable(
    dataset: PictureDataset[Any, Any], facts: Iterable[PictureFacts], split: str, unreadable: Unreadable
) -> list[str]:
    """Take the pictures out of a dataset that cannot be read.

    Args:
        dataset: whose records are cut down.
        facts: about each of its pictures, in their order.
        split: name of its split, for messages.
        unreadable: what to do about such a picture.

    Returns:
        The paths of the pictures that are left out.

    Raises:
        DataError: with ``error``, naming the first such picture, and how many more there are; with ``skip`` if no other
            picture is left.
    """
    wrong = {number: one for number, one in enumerate(facts) if one.problem}
    if not wrong:
        return []
    first, total = next(iter(wrong.values())), len(dataset)
    if unreadable == "error":
        more = f"; {len(wrong) - 1} more of {total} pictures cannot be read" if len(wrong) > 1 else ""
        raise DataError(f"{first.problem}{more}; or train without them: --data.unreadable skip")
    if len(wrong) == total:
        raise DataError(f"none of the {total} pictures of {split} can be read; the first: {first.problem}")
    kept = [number for number in range(total) if number not in wrong]
    dataset.records = [dataset.records[number] for number in kept]
    if dataset.groups is not None:
        dataset.groups = [dataset.groups[number] for number in kept]
    names = ", ".join(Path(one.path).name for one in list(wrong.values())[:MAX_NAMED])
    log.warning(
        "unreadable skip: %d of %d pictures of %s are left out: %s%s",
        *(len(wrong), total, split, names, ", ..." if len(wrong) > MAX_NAMED else ""),
    )
    return [one.path for one in wrong.values()]
