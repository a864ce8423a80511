"""Whether a run is measured on pictures that it has trained on."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ArgumentParser

from lightning_seg.batch import Split
from lightning_seg.errors import ConfigError

DIVIDING = ("seed", "val_fraction", "test_fraction", "group", "split_by")
"""What usually divides the pictures of a datamodule that tells neither its pictures nor which of its arguments do."""
COMPARED: Mapping[str, tuple[tuple[Split, Split], ...]] = {
    "fit": (("val", "train"), ("train", "val")),
    "validate": (("val", "train"),),
    "test": (("test", "train"),),
    "predict": (("test", "train"),),
}
"""By stage: the pictures of which split must not be among those of which split of the run."""
PURPOSES: Mapping[Split, str] = {"train": "trained", "val": "chosen its best epoch", "test": "tested"}


class DivisionCheck(pl.Callback):
    """Before the first batch, compares the pictures of a run with those that it is measured on, file by file.

    Args:
        stored: data section of the run's config, as it was checked: it is built.
        given: that of now.
    """

    def __init__(self, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        self.stored, self.given = stored, given

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Lightning has set the datamodule up before.

        Raises:
            ConfigError: naming the arguments that divide the pictures otherwise, and one of the pictures.
        """
        changed = changed_arguments(self.stored, self.given)
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if not changed:
            return
        trained = _listed(self.stored, stage) if hasattr(data, "pictures_of") else None
        if trained is None:
            _check_names(data, changed, stage)
            return
        for split, other in COMPARED[stage]:
            pictures = _real(data.pictures_of(split))
            both = sorted(trained[other].intersection(pictures))
            if both:
                raise ConfigError(
                    f"{', '.join(changed)}: {len(both)} of {len(pictures)} pictures of {split} are among those that "
                    f"the run has {PURPOSES[other]} on, for instance {both[0]}; leave it out, or give other pictures"
                )


def _listed(stored: Mapping[str, Any], stage: str) -> dict[Split, set[str]] | None:
    """The pictures of the run by split; None where its data does not tell them, or is not there any more."""
    try:
        before = _build(stored)
        return {split: set(_real(before.pictures_of(split))) for _, split in COMPARED[stage]}
    # Of classes of the user's own, and of data that has been moved: errors of all kinds.
    except Exception:
        return None


def changed_arguments(stored: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Each argument of the data that differs, as ``data.seed 3 instead of 0``."""
    before, after = (dict(one.get("init_args") or {}) for one in (stored, given))
    names = [name for name in after if before.get(name) != after[name]]
    if stored.get("class_path") != given.get("class_path"):
        return [f"data {given.get('class_path')} instead of {stored.get('class_path')}"]
    return [f"data.{name} {after[name]} instead of {before.get(name)}" for name in names]


def _check_names(data: Any, changed: Iterable[str], stage: str) -> None:
    # Pictures to test on do not depend on the share to validate on.
    apart = {"val_fraction"} if stage in ("test", "predict") else set()
    dividing = {*getattr(data, "dividing", DIVIDING)} - apart
    found = [one for one in changed if one.partition(" ")[0].removeprefix("data.") in dividing]
    if found:
        raise ConfigError(
            f"{', '.join(found)} divides the pictures anew, and the run would be measured on some that it has trained "
            "on; leave it out, or give another --data.root"
        )


def _build(section: Mapping[str, Any]) -> Any:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(pl.LightningDataModule, "data")
    return parser.instantiate_classes(parser.parse_object({"data": dict(section)})).data


def _real(paths: Iterable[str]) -> list[str]:
    """By links, one file has several paths."""
    return [os.path.realpath(path) for path in paths]
