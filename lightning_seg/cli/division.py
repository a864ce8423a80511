"""Whether a run is measured on pictures that it has trained on."""

import filecmp
import os
from collections.abc import Collection, Mapping
from inspect import signature
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ArgumentParser

from lightning_seg import datamodules
from lightning_seg.batch import Split
from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError

COMPARED: Mapping[str, tuple[tuple[Split, Split], ...]] = {
    "fit": (("val", "train"), ("train", "val")),
    "validate": (("val", "train"),),
    "test": (("test", "train"),),
    "predict": (("test", "train"),),
}
"""By stage: the pictures of which split must not be among those of which split of the run."""
PURPOSES: Mapping[Split, str] = {"train": "trained", "val": "chosen its best epoch", "test": "tested"}
Places = dict[str, str]
"""Files of pictures by their paths relative to the folder of their dataset."""


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
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        changed = changed_arguments(self.stored, self.given)
        if all(isinstance(data, DataModule) and only_loads(type(data), name) for name in changed):
            return
        trained = _listed(self.stored, stage) if hasattr(data, "pictures_of") else None
        if trained is None:
            _check_names(data, changed, stage)
            return
        places = _places(data, {split for split, _ in COMPARED[stage]})
        for split, other in COMPARED[stage]:
            both = _in_both(places[split], trained[other])
            if both:
                raise ConfigError(
                    f"{', '.join(changed.values())}: {len(both)} of {len(places[split])} pictures of {split} are among "
                    f"those that the run has {PURPOSES[other]} on, for instance {both[0]}; leave it out, or give other "
                    "pictures"
                )


def only_loads(kind: type[DataModule[Any]], name: str) -> bool:
    """Whether an argument cannot change which pictures are in a split, since it only says how they are loaded."""
    others = {"download", *DataModule.dividing, *kind.dividing, *kind.listing, *kind.deciding}
    return name in signature(DataModule.__init__).parameters and name not in others


def _listed(stored: Mapping[str, Any], stage: str) -> dict[Split, Places] | None:
    """The pictures of the run by split; None where its data does not tell them, or is not there any more."""
    try:
        return _places(_build(stored), {other for _, other in COMPARED[stage]})
    # Of classes of the user's own, and of data that has been moved: errors of all kinds.
    except Exception:
        return None


def _places(data: Any, splits: Collection[Split]) -> dict[Split, Places]:
    """By links, one file has several paths."""
    if isinstance(data, DataModule):
        found = data.pictures_by_split(splits)
    else:
        found = {split: data.pictures_of(split) for split in splits}
    root = os.path.realpath(getattr(data, "root", "."))
    files = {split: [os.path.realpath(path) for path in paths] for split, paths in found.items()}
    return {split: {os.path.relpath(path, root): path for path in paths} for split, paths in files.items()}


def _in_both(given: Places, trained: Places) -> list[str]:
    """Files that are in both; if there are none, those that are copies, at the same place in another folder."""
    same = sorted({*given.values()} & {*trained.values()})
    return same or [path for place, path in sorted(given.items()) if place in trained and _equal(path, trained[place])]


def _equal(first: str, second: str) -> bool:
    try:
        # Sizes are compared first, so pictures of other datasets with the same names are hardly ever read.
        return filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False


def changed_arguments(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Each argument of the data that differs, as ``data.seed 3 instead of 0``; of another class its name alone."""
    if stored.get("class_path") != given.get("class_path"):
        return {"": f"data {given.get('class_path')} instead of {stored.get('class_path')}"}
    before, after = (dict(one.get("init_args") or {}) for one in (stored, given))
    names = [name for name in after if before.get(name) != after[name]]
    return {name: f"data.{name} {after[name]} instead of {before.get(name)}" for name in names}


def _check_names(data: Any, changed: Mapping[str, str], stage: str) -> None:
    # Pictures to test on do not depend on the share to validate on.
    apart = {"val_fraction"} if stage in ("test", "predict") else set()
    found = [text for name, text in changed.items() if name in _dividing(data) - apart]
    if found:
        raise ConfigError(
            f"{', '.join(found)} divides the pictures anew, and the run would be measured on some that it has trained "
            "on; leave it out, or give another --data.root"
        )


def _dividing(data: Any) -> set[str]:
    """The arguments that divide pictures; where a class says nothing, those of all datamodules of this package."""
    if isinstance(data, DataModule):
        return {*data.dividing, *data.listing}
    usual = [getattr(datamodules, name) for name in datamodules.__all__]
    return {*getattr(data, "dividing", [one for kind in usual for one in getattr(kind, "dividing", ())])}


def _build(section: Mapping[str, Any]) -> Any:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(pl.LightningDataModule, "data")
    return parser.instantiate_classes(parser.parse_object({"data": dict(section)})).data
