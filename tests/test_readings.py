"""How often a command reads the files that it needs: counted where they are opened."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seg import CarvanaDataModule, OxfordPetsDataModule
from lightning_seg.__main__ import main
from lightning_seg.checkpoints import read_checkpoint, reading
from lightning_seg.datamodules import carvana as carvana_module
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datasets.carvana import read_list
from lightning_seg.datasets.labelled import LabelledDataset
from lightning_seg.datasets.oxford_pets import OxfordPetsDataset
from lightning_seg.predictor import Predictor
from lightning_seg.runs import batches_begun, epochs_done, task_arguments

QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]


@pytest.fixture(scope="module")
def run(flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small classifier after one step."""
    folder = tmp_path_factory.mktemp("read") / "run"
    assert main(["fit", *classifier(flowers_root, "FlowersDataModule"), "--run_folder", str(folder)]) == 0
    return folder


def classifier(root: Path, data: str, *flags: str) -> list[str]:
    given = ["--model", "CNNClassifierTask", "--data", data, "--data.root", str(root), "--data.image_size", "32"]
    given += ["--data.num_workers", "0", "--data.val_fraction", "0.2", "--trainer.limit_train_batches", "1"]
    return [*given, "--trainer.max_epochs", "1", "--trainer.enable_model_summary", "false", *flags, *QUIET]


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Checkpoints by name as ``torch.load`` gets them: paths from this package, an open file from Lightning."""
    counted: Counter[str] = Counter()
    load = torch.load

    def counting(file: Any, *args: Any, **options: Any) -> Any:
        counted[Path(file).name if isinstance(file, str | Path) else "by Lightning"] += 1
        return load(file, *args, **options)

    monkeypatch.setattr(torch, "load", counting)
    return counted


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["validate"], {"best.ckpt": 1, "by Lightning": 1}),
        (["test"], {"best.ckpt": 1, "by Lightning": 1}),
        (["predict"], {"best.ckpt": 1, "by Lightning": 1}),
        (["predict", "--images", "PHOTOS"], {"best.ckpt": 1, "by Lightning": 1}),
        (["test", "--ckpt_path", "last.ckpt"], {"last.ckpt": 1, "by Lightning": 1}),
        # The best one so far is asked for its score.
        (["fit", "--trainer.max_epochs", "2"], {"last.ckpt": 1, "best.ckpt": 1, "by Lightning": 1}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_reads_a_checkpoint_once_and_lightning_its_weights(
    run: Path, flowers_root: Path, tmp_path: Path, readings: Counter[str], command: list[str], expected: dict[str, int]
) -> None:
    read_file_anew()
    words = {"PHOTOS": str(flowers_root / "roses"), "last.ckpt": str(run / "checkpoints" / "last.ckpt")}
    output = ["--output", str(tmp_path)] if "predict" in command else []
    assert main([words.get(word, word) for word in command] + ["--run", str(run), *output, *QUIET]) == 0
    assert readings == expected


def read_file_anew() -> None:
    """As in a process of its own."""
    reading._read_file.cache_clear()


def test_a_predictor_reads_a_checkpoint_once_and_lightning_its_weights(run: Path, readings: Counter[str]) -> None:
    read_file_anew()
    Predictor.from_run(run)
    assert readings == {"best.ckpt": 1, "by Lightning": 1}


def test_a_checkpoint_that_has_changed_is_read_again(tmp_path: Path, readings: Counter[str]) -> None:
    path = tmp_path / "a.ckpt"
    for number in (1, 22, 333):
        torch.save({"global_step": number, "state_dict": {"weight": torch.zeros(number)}}, path)
        content = read_checkpoint(path)
        assert content["global_step"] == number
        assert read_checkpoint(str(path))["state_dict"]["weight"].shape == (number,)
    assert readings == {"a.ckpt": 3}


def test_nobody_changes_what_others_read(flowers_root: Path, tmp_path: Path) -> None:
    # Steps end it in its first epoch, which is taken up again: what its loops say is changed for that.
    words = classifier(flowers_root, "FlowersDataModule", "--data.batch_size", "6", "--run_folder", str(tmp_path))
    assert main(["fit", *words, "--trainer.limit_train_batches", "1.0", "--trainer.max_steps", "1"]) == 0
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    before = deepcopy(read_checkpoint(checkpoint)["loops"])
    assert (epochs_done(checkpoint), batches_begun(checkpoint)) == (0, 1)
    assert read_checkpoint(checkpoint)["loops"] == before
    names = task_arguments(checkpoint)["class_names"]
    names.append("weeds")
    assert task_arguments(checkpoint)["class_names"] == names[:-1]


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the pictures of a dataset are listed."""
    counted: Counter[str] = Counter()
    for kind in (LabelledDataset, OxfordPetsDataset):
        monkeypatch.setattr(kind, "__init__", _counting(kind.__init__, counted, "all"))
    monkeypatch.setattr(carvana_module, "read_list", _counting(read_list, counted, "all"))
    return counted


def _counting(function: Callable[..., Any], counted: Counter[str], name: str) -> Callable[..., Any]:
    def counting(*args: Any, **options: Any) -> Any:
        counted[name] += 1
        return function(*args, **options)

    return counting


@pytest.mark.parametrize(
    ("data", "root", "number"),
    [
        ("FlowersDataModule", "flowers_root", 1),
        ("StanfordDogsDataModule", "dogs_root", 1),
        ("OxfordPetLabelsDataModule", "pets_root", 1),
        # The classes are those of the folders, and the task is built before the pictures are divided.
        ("ImageFolderDataModule", "flowers_root", 2),
    ],
)
def test_fit_lists_the_pictures_once(
    request: pytest.FixtureRequest, tmp_path: Path, listings: Counter[str], data: str, root: str, number: int
) -> None:
    words = classifier(request.getfixturevalue(root), data, "--data.cache", "disk", "--data.cache_dir", str(tmp_path))
    assert main(["fit", *words, "--run_folder", str(tmp_path / "run")]) == 0
    assert listings["all"] == number


@pytest.mark.parametrize(("kind", "root"), [(OxfordPetsDataModule, "pets_root"), (CarvanaDataModule, "carvana_root")])
def test_both_splits_of_a_training_are_listed_together(
    request: pytest.FixtureRequest, listings: Counter[str], kind: type[DataModule[Any]], root: str
) -> None:
    found = kind(request.getfixturevalue(root), val_fraction=0.25).pictures_by_split(["train", "val"])
    assert listings["all"] == 1
    assert found["train"]
    assert found["val"]
    assert {*found["train"]}.isdisjoint(found["val"])


@pytest.mark.parametrize(
    ("flags", "number"),
    [
        ([], 1),
        # How pictures are loaded divides nothing.
        (["--data.batch_size", "3", "--data.image_size", "32", "--data.cache", "ram"], 1),
        # Those of the run, and those of now.
        (["--data.val_fraction", "0.3"], 2),
    ],
)
def test_pictures_of_the_run_are_listed_where_others_may_be_measured(
    run: Path, listings: Counter[str], flags: list[str], number: int
) -> None:
    assert main(["test", "--run", str(run), *flags, *QUIET]) == 0
    assert listings["all"] == number
