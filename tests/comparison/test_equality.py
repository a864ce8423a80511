"""What may differ between variants, and what may not."""

from inspect import signature
from typing import Any

import pytest

from lightning_seg import datamodules
from lightning_seg.batch import Split
from lightning_seg.comparison.equality import (
    changes,
    check_equal,
    check_measured,
    check_monitors,
    check_pictures,
    flatten,
    overruled,
)
from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError


def config(
    augment: Any = False, max_epochs: int = 5, kind: str = "lightning_seg.CarvanaDataModule", **data: Any
) -> dict[str, Any]:
    """What a variant would be trained with."""
    return {
        "seed_everything": 0,
        "early_stopping": None,
        "run_folder": None,
        "trainer": {"max_epochs": max_epochs, "devices": "auto"},
        "model": {"class_path": "lightning_seg.UNetTask", "init_args": {"lr": 0.1}},
        "data": {
            "class_path": kind,
            "init_args": {"root": "cars", "augment": augment, "seed": 0, "num_workers": 2, **data},
        },
    }


def with_trainer(**trainer: Any) -> dict[str, Any]:
    return {**config(), "trainer": {**config()["trainer"], **trainer}}


def test_arguments_have_the_names_they_are_typed_by() -> None:
    flat = flatten(config("flip"))
    assert flat["data"] == "lightning_seg.CarvanaDataModule"
    assert flat["data.augment"] == "flip"
    assert flat["model.lr"] == 0.1
    assert flat["trainer.max_epochs"] == 5
    assert flat["early_stopping"] is None
    assert changes(config("flip"), config(True, mixing="cutmix")) == {
        "data.augment": ("flip", True),
        "data.mixing": (None, "cutmix"),
    }


def test_classes_of_one_name_in_two_modules_differ() -> None:
    own, other = ({**config(), "model": {"class_path": path, "init_args": {}}} for path in ("mine.T", "yours.T"))
    assert changes(own, other) == {"model": ("mine.T", "yours.T")}
    assert check_equal({"a": own, "b": other}) == []


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (config(), "variants a and b are the same; give them different files, and leave out flags"),
        (config(num_workers=0, seed=3), "variants a and b are the same"),
        (config(True, 6), r"differ in trainer.max_epochs \(5 and 6\), so their budgets are not equal; give --unequal"),
        (config(True, batch_size=4), r"differ in data.batch_size \(null and 4\), so their budgets are not equal"),
        ({**config(True), "early_stopping": 3}, r"differ in early_stopping \(null and 3\), so their budgets"),
        (config(True, root="dogs"), r"differ in data.root \(cars and dogs\), so they do not see the same pictures"),
        (with_trainer(check_val_every_n_epoch=5), "differ in trainer.check_val_every_n_epoch .* budgets are not equal"),
        (with_trainer(val_check_interval=0.5), "differ in trainer.val_check_interval .* budgets are not equal"),
        (with_trainer(limit_val_batches=1), "differ in trainer.limit_val_batches .* budgets are not equal"),
        (with_trainer(limit_test_batches=1), "differ in trainer.limit_test_batches .* do not see the same pictures"),
        (config(True, val_fraction=0.2), "differ in data.val_fraction .*, so they do not see the same pictures"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_variants_that_are_not_compared(other: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_equal({"a": config(), "b": other})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("lightning_seg.OxfordPetLabelsDataModule", {"labels": "breed"}),
        ("lightning_seg.ImageMaskFolderDataModule", {"mask_values": [0, 255]}),
        ("lightning_seg.ImageMaskFolderDataModule", {"ignore_values": [7]}),
        ("lightning_seg.ImageMaskFolderDataModule", {"val_list": "val.txt"}),
        ("lightning_seg.ImageFolderDataModule", {"classes": ["a", "b"]}),
        ("lightning_seg.CocoObjectsDataModule", {"categories": ["a"]}),
        # Of classes that do not say it, by the meaning that the name has here.
        ("pytorch_lightning.LightningDataModule", {"labels": "breed"}),
        ("gone.OwnDataModule", {"test_fraction": 0.2}),
    ],
    ids=str,
)
def test_a_datamodule_says_which_arguments_decide_about_its_pictures(kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"differ in data.{next(iter(data))} .* do not see the same pictures"):
        check_equal({"a": config(kind=kind), "b": config(True, kind=kind, **data)})


class OwnDataModule(DataModule[Any]):
    """A user's own, with an argument that only he knows."""

    deciding = (*DataModule.deciding, "season")


def test_a_datamodule_of_ones_own_may_say_it_too() -> None:
    kind = f"{__name__}.OwnDataModule"
    with pytest.raises(ConfigError, match=r"differ in data.season .* do not see the same pictures"):
        check_equal({"a": config(kind=kind, season="dry"), "b": config(kind=kind, season="wet")})
    assert check_equal({"a": config(kind=kind, noise=1), "b": config(kind=kind, noise=2)}) == []


LOADING = {
    *("image_size", "batch_size", "num_workers", "augment", "mixing", "cache", "cache_dir", "download", "start_method"),
    *("persistent_workers", "check_masks", "check_pictures"),
}
"""Arguments that change neither which pictures there are nor what is true of them."""


@pytest.mark.parametrize("kind", [name for name in datamodules.__all__ if name != "PicturesDataModule"])
def test_every_argument_either_decides_about_the_pictures_or_does_not(kind: str) -> None:
    chosen = getattr(datamodules, kind)
    arguments = {*signature(chosen).parameters, *signature(DataModule).parameters} - {"options"}
    assert arguments - LOADING <= {*chosen.deciding, *chosen.dividing, *chosen.listing}
    assert not LOADING & {*chosen.deciding, *chosen.dividing, *chosen.listing}


def test_variants_may_differ_in_augmentation_and_network() -> None:
    network = {**config(), "model": {"class_path": "lightning_seg.SmpTask", "init_args": {"lr": 0.1}}}
    assert check_equal({"a": config(), "b": config(True), "c": network}) == []


def test_unequal_budgets_are_told_where_they_are_accepted() -> None:
    said = check_equal({"a": config(), "b": config(True, 6)}, unequal_budgets=True)
    assert said == ["budgets are not equal: variants a and b differ in trainer.max_epochs (5 and 6)"]
    with pytest.raises(ConfigError, match="same pictures"):
        check_equal({"a": config(), "b": config(root="dogs")}, unequal_budgets=True)


@pytest.mark.parametrize(
    ("trainer", "message"),
    [
        ({"enable_checkpointing": False}, "variant a: with trainer.enable_checkpointing false a run leaves nothing"),
        ({"limit_val_batches": 0.0}, "variant a: with trainer.limit_val_batches 0.0 a run leaves nothing"),
    ],
)
def test_runs_that_leave_nothing(trainer: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_measured({"a": with_trainer(**trainer)})
    # Lightning's own defaults.
    check_measured({"a": with_trainer(enable_checkpointing=None, limit_val_batches=None, logger=None)})


def test_one_metric_chooses_the_best_of_all() -> None:
    check_monitors({"a": "val/miou", "b": "val/miou"})
    with pytest.raises(ConfigError, match=r"chosen by val/miou \(a\), val/loss \(b\); give one --model.monitor"):
        check_monitors({"a": "val/miou", "b": "val/loss"})
    with pytest.raises(
        ConfigError, match="variant b: no validation would choose its best checkpoint; give it pictures"
    ):
        check_monitors({"a": "val/miou", "b": None})


def test_flags_that_win_over_files_are_named() -> None:
    flags = ["--config", "data.augment", "--data.augment=flip", "--data.mixing.prob", "0.5", "--model.lr", "1"]
    files: dict[str, Any] = {
        "a.yaml": {"data": {"init_args": {"augment": False, "seed": 1}}, "trainer": {"max_epochs": 2}},
        "b.yaml": {"data": {"class_path": "X", "init_args": {"mixing": {"kind": "cutmix"}}}},
    }
    assert list(overruled(flags, "plain", files)) == [
        "variant plain: --data.augment was typed for all variants and wins over data.augment in a.yaml",
        "variant plain: --data.mixing.prob was typed for all variants and wins over data.mixing in b.yaml",
    ]
    assert list(overruled(["--model.lr", "1"], "plain", files)) == []


def test_variants_that_divide_the_data_otherwise_are_not_compared() -> None:
    one: dict[Split, list[str]] = {"train": ["a.jpg", "b.jpg"], "val": ["c.jpg"], "test": ["d.jpg"]}
    check_pictures({"none": one, "flips": {**one, "train": ["b.jpg", "a.jpg"]}, "untold": {}})
    other: dict[Split, list[str]] = {**one, "val": ["b.jpg"], "train": ["a.jpg", "c.jpg"]}
    with pytest.raises(ConfigError, match=r"none and flips do not see the same pictures: of (train|val) 2 are in one"):
        check_pictures({"none": one, "flips": other})
