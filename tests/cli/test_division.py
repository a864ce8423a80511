"""Pictures that a run has trained on are not measured, wherever they lie."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from PIL import Image, ImageOps

from lightning_seg import FlowersDataModule, ImageMaskFolderDataModule, OxfordPetsDataModule
from lightning_seg.__main__ import main
from lightning_seg.batch import Split
from lightning_seg.cli.division import DivisionCheck, only_loads
from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError
from tests.trainer.small_runs import write_small

CPU = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
Mistake = Callable[[list[str]], str]


@pytest.fixture(scope="module")
def trained(flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and the folder of its pictures."""
    folder = tmp_path_factory.mktemp("trained")
    root = folder / "flowers"
    shutil.copytree(flowers_root, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = write_small(root)
        assert main(["fit", "--config", str(config), "--run_folder", str(folder / "run"), *CPU]) == 0
    return folder / "run", root


@pytest.mark.parametrize("stage", ["validate", "test", "predict", "fit"])
def test_a_copy_of_the_pictures_divided_by_another_seed_is_found(
    trained: tuple[Path, Path], tmp_path: Path, mistake: Mistake, stage: str
) -> None:
    run, root = trained
    copy = shutil.copytree(root, tmp_path / "copy")
    words = [stage, "--run", str(run), "--data.root", str(copy), *CPU]
    words += ["--trainer.max_epochs", "2"] if stage == "fit" else []
    line = mistake([*words, "--data.seed", "1"])
    split: Split = "test" if stage in ("test", "predict") else "val"
    before = FlowersDataModule(root, seed=0, val_fraction=0.2).pictures_by_split(["train"])
    now = FlowersDataModule(copy, seed=1, val_fraction=0.2).pictures_by_split([split])
    names = {Path(path).name for path in before["train"]} & {Path(path).name for path in now[split]}
    assert f"{len(names)} of {len(now[split])} pictures of {split} are among those that the run has trained on" in line
    assert f"data.root {copy} instead of {root}, data.seed 1 instead of 0: " in line
    assert f", for instance {copy}/" in line


def test_a_copy_that_is_divided_as_before_is_measured(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, root = trained
    copy = shutil.copytree(root, tmp_path / "copy")
    assert main(["test", "--run", str(run), "--data.root", str(copy), *CPU]) == 0
    assert "test/accuracy" in json.loads((run / "metrics.json").read_text())


def test_other_pictures_of_the_same_names_are_measured(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, root = trained
    others = shutil.copytree(root, tmp_path / "others")
    for path in others.rglob("*.jpg"):
        with Image.open(path) as picture:
            ImageOps.mirror(picture).save(path)
    assert main(["test", "--run", str(run), "--data.root", str(others), "--data.seed", "1", *CPU]) == 0


class Foreign(pl.LightningDataModule):
    """It tells neither its pictures nor what divides them."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()


class Telling(Foreign):
    dividing = ("fold",)


@pytest.mark.parametrize(
    ("kind", "refused", "taken"),
    [
        # As in the datamodules of this package.
        (Foreign, ["seed", "val_fraction", "test_fraction", "group", "split_by", "test_list"], ["images", "fold"]),
        (Telling, ["fold"], ["seed", "images"]),
    ],
)
def test_of_a_datamodule_that_tells_nothing_usual_names_divide(
    kind: type[Foreign], refused: list[str], taken: list[str]
) -> None:
    trainer = pl.Trainer(logger=False, accelerator="cpu", enable_progress_bar=False)
    trainer.datamodule = kind()  # type: ignore[attr-defined]

    def check(name: str) -> None:
        stored, given = ({"class_path": "my.Kind", "init_args": {name: value}} for value in ("a", "b"))
        DivisionCheck(stored, given).setup(trainer, pl.LightningModule(), "validate")

    for name in refused:
        with pytest.raises(ConfigError, match=f"data.{name} b instead of a divides the pictures anew"):
            check(name)
    for name in taken:
        check(name)


@pytest.mark.parametrize("kind", [OxfordPetsDataModule, ImageMaskFolderDataModule])
def test_what_only_loads_divides_nothing(kind: type[DataModule[Any]]) -> None:
    loading = ["image_size", "batch_size", "num_workers", "augment", "mixing", "cache", "cache_dir"]
    assert all(only_loads(kind, name) for name in [*loading, "start_method", "persistent_workers"])
    # A class of the user's own may have any others.
    others = ["root", "source", "download", "seed", "val_fraction", "test_fraction", "images", "masks", "fold"]
    assert not any(only_loads(kind, name) for name in others)
