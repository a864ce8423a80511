"""Flowers and dogs through the command line, and one's own folders of pictures."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_seg.__main__ import main

CONFIGS = Path(__file__).parents[1] / "configs"
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
SMALL = ["--data.image_size", "32", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]


def run_main(*arguments: str) -> None:
    assert main(list(arguments)) == 0


def config_flags(*names: str) -> list[str]:
    return [word for name in names for word in ("--config", str(CONFIGS / name))]


def record(run: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return values


def resolved(capsys: pytest.CaptureFixture[str], *names: str) -> dict[str, Any]:
    """The configs laid over each other, with all defaults."""
    with pytest.raises(SystemExit):
        main(["fit", *config_flags(*names), "--print_config"])
    values: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    return values


@pytest.fixture(scope="module")
def flowers_run(flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("flowers_system")
    flags = [*config_flags("flowers.yaml"), "--data.root", str(flowers_root), "--data.download", "false"]
    flags += ["--data.batch_size", "5", "--model.class_weights", "auto", "--trainer.max_epochs", "2"]
    run_main("fit", *flags, *SMALL, *QUIET, "--trainer.default_root_dir", str(runs))
    return runs / "flowers" / "version_0"


def test_flowers_fit_and_test(flowers_run: Path) -> None:
    run_main("test", "--run", str(flowers_run), *QUIET)
    values = record(flowers_run)
    assert {f"{split}/accuracy" for split in ("train", "val", "test")} <= values.keys()
    # Five classes with as many training pictures each.
    hparams = torch.load(flowers_run / "checkpoints" / "last.ckpt", weights_only=True)["hyper_parameters"]
    assert hparams["class_weights"] == pytest.approx([1.0] * 5)
    assert tuple(hparams["class_names"]) == FLOWERS


def test_flowers_predict_a_row_for_each_test_picture(flowers_run: Path, flowers_root: Path, tmp_path: Path) -> None:
    run_main("predict", "--run", str(flowers_run), "--output", str(tmp_path))
    with (tmp_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert {Path(row["picture"]).parent.name for row in rows} == set(FLOWERS)
    assert {row["label"] for row in rows} <= set(FLOWERS)


def test_the_flowers_tutorial(capsys: pytest.CaptureFixture[str]) -> None:
    config = resolved(capsys, "flowers.yaml", "overrides/tutorial_flowers.yaml")
    model, data = config["model"]["init_args"], config["data"]["init_args"]
    assert (model["dropout"], model["optimizer"], model["lr"], model["schedule"]) == (0.2, "adam", 0.001, "constant")
    assert model["weight_decay"] == 0.0
    assert (data["image_size"], data["batch_size"], data["augment"]) == (180, 32, "flip_rotation_zoom")
    assert (data["val_fraction"], data["test_fraction"]) == (0.2, 0.0)
    assert config["trainer"]["max_epochs"] == 15


def test_the_flowers_tutorial_trains(flowers_root: Path, tmp_path: Path) -> None:
    flags = [*config_flags("flowers.yaml", "overrides/tutorial_flowers.yaml"), "--data.root", str(flowers_root)]
    flags += ["--data.download", "false", "--trainer.max_epochs", "1", "--trainer.default_root_dir", str(tmp_path)]
    run_main("fit", *flags, *SMALL, *QUIET)
    assert "val/accuracy" in record(tmp_path / "flowers" / "version_0")


def test_dogs_with_cutmix(dogs_root: Path, tmp_path: Path) -> None:
    flags = [*config_flags("dogs.yaml", "overrides/tutorial_dogs.yaml"), "--data.root", str(dogs_root)]
    flags += ["--data.download", "false", "--model.arch", "resnet10t", "--model.weights", "null"]
    flags += ["--trainer.max_epochs", "1", "--trainer.default_root_dir", str(tmp_path), "--data.batch_size", "5"]
    run_main("fit", *flags, *SMALL, *QUIET)
    run = tmp_path / "dogs" / "version_0"
    run_main("test", "--run", str(run), *QUIET)
    values = record(run)
    # Only mixed labels are shares.
    assert {"train/soft_accuracy", "val/accuracy", "test/accuracy"} <= values.keys()
    hparams = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["hyper_parameters"]
    assert (hparams["num_classes"], len(hparams["class_names"])) == (3, 3)


def test_the_dogs_tutorial(capsys: pytest.CaptureFixture[str]) -> None:
    config = resolved(capsys, "dogs.yaml", "overrides/tutorial_dogs.yaml")
    model, data = config["model"]["init_args"], config["data"]["init_args"]
    assert (model["arch"], model["weights"], model["optimizer"], model["lr"]) == ("resnet50", "imagenet", "SGD", 0.01)
    assert (model["encoder_lr_factor"], model["schedule"], model["label_smoothing"]) == (1.0, "constant", 0.0)
    assert (data["image_size"], data["batch_size"]) == (224, 16)
    assert data["mixing"] == {"kind": "cutmix", "alpha": 1.0, "prob": 1.0, "per": "image", "until_epoch": None}
    assert (config["seed_everything"], data["seed"]) == (2020, 2020)
    assert config["trainer"]["max_epochs"] == 20


def test_synthetic_dogs_ask_for_no_weights(
    tmp_path: Path, dogs_root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    flags = [*config_flags("dogs.yaml"), "--data.source", "synthetic", "--data.root", str(dogs_root)]
    flags += ["--model.arch", "resnet10t", "--trainer.max_epochs", "1", "--trainer.default_root_dir", str(tmp_path)]
    run_main("fit", *flags, *SMALL, *QUIET)
    assert any(message.startswith("data.source is synthetic: weights null") for message in caplog.messages)


def test_own_folders_train_and_predict(flowers_root: Path, tmp_path: Path) -> None:
    flags = ["--model", "CNNClassifierTask", "--data", "ImageFolderDataModule", "--data.root", str(flowers_root)]
    flags += ["--data.augment", "flips_rotation", "--trainer.max_epochs", "1"]
    run_main("fit", *flags, *SMALL, *QUIET, "--trainer.default_root_dir", str(tmp_path))
    run = tmp_path / "CNNClassifierTask" / "version_0"
    photo = sorted((flowers_root / "roses").iterdir())[0]
    run_main("predict", "--run", str(run), "--images", str(photo), "--output", str(tmp_path / "out"))
    with (tmp_path / "out" / "predictions.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["label"] in FLOWERS
    # Where the pictures are not, the classes have to be told.
    elsewhere = ["--data.root", str(tmp_path / "elsewhere"), "--data.classes", json.dumps(FLOWERS)]
    run_main("predict", "--run", str(run), "--images", str(photo), "--output", str(tmp_path / "again"), *elsewhere)
    assert (tmp_path / "again" / "predictions.csv").read_text() == (tmp_path / "out" / "predictions.csv").read_text()


def test_missing_flowers_are_one_line(tmp_path: Path, mistake: Callable[[list[str]], str]) -> None:
    flags = [*config_flags("flowers.yaml"), "--data.root", str(tmp_path / "none"), "--data.download", "false"]
    line = mistake(["fit", *flags, *SMALL, *QUIET, "--trainer.logger", "false"])
    assert "so this is not a copy of the flower photos; give its folder with --data.root" in line


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("config", "folder", "flags"),
    [
        ("flowers", "flower_photos", []),
        ("dogs", "stanford_dogs", ["--model.arch", "resnet10t", "--model.weights", "null"]),
    ],
)
def test_real_photos_train(real_data: Path, tmp_path: Path, config: str, folder: str, flags: list[str]) -> None:
    flags = [*config_flags(f"{config}.yaml"), *flags, "--data.root", str(real_data / folder)]
    flags += ["--data.download", "false"]
    flags += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "2"]
    run_main("fit", *flags, *SMALL, *QUIET, "--trainer.default_root_dir", str(tmp_path))
    assert "val/accuracy" in record(tmp_path / config / "version_0")
