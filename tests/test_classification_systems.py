"""Flowers and dogs through the command line, and one's own folders of pictures."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml

from lightning_seg import CNNClassifierTask, ImageFolderDataModule
from lightning_seg.__main__ import main
from lightning_seg.errors import ConfigError
from lightning_seg.synthetic.marker import SYNTHETIC_MARKER

Mistake = Callable[[list[str]], str]

CONFIGS = Path(__file__).parents[1] / "configs"
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
SMALL = ["--data.image_size", "32", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
QUIET = ["--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"]


def run_main(*arguments: str) -> None:
    assert main(list(arguments)) == 0


def config_flags(*names: str) -> list[str]:
    return [word for name in names for word in ("--config", str(CONFIGS / name))]


def make_trainer() -> pl.Trainer:
    """For scripts: of one step, which writes nothing by itself."""
    return pl.Trainer(
        accelerator="cpu", max_steps=1, logger=False, enable_progress_bar=False, enable_checkpointing=False
    )


def best_of(run: Path) -> Path:
    return run / "checkpoints" / "best.ckpt"


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


@pytest.fixture(scope="module")
def own(flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run and the folder of its pictures, which a test may change and has to restore."""
    folder = tmp_path_factory.mktemp("own_folders")
    root = Path(shutil.copytree(flowers_root, folder / "own"))
    (root / SYNTHETIC_MARKER).unlink()
    flags = ["--model", "CNNClassifierTask", "--data", "ImageFolderDataModule", "--data.root", str(root)]
    flags += ["--data.augment", "flips_rotation", "--trainer.max_epochs", "1"]
    run_main("fit", *flags, *SMALL, *QUIET, "--trainer.default_root_dir", str(folder / "runs"))
    return folder / "runs" / "CNNClassifierTask" / "version_0", root


@pytest.fixture
def renamed(own: tuple[Path, Path]) -> Iterator[None]:
    _, root = own
    (root / "roses").rename(root / "rosen")
    yield
    (root / "rosen").rename(root / "roses")


def test_own_folders_predict_where_the_pictures_are_not(own: tuple[Path, Path], tmp_path: Path) -> None:
    run, root = own
    photo = Path(shutil.copy(sorted((root / "roses").iterdir())[0], tmp_path / "photo.jpg"))
    run_main("predict", "--run", str(run), "--images", str(photo), "--output", str(tmp_path / "out"))
    table = (tmp_path / "out" / "predictions.csv").read_text()
    (row,) = csv.DictReader(table.splitlines())
    assert row["label"] in FLOWERS
    away = root.rename(root.with_name("away"))
    for name, flags in {"by run": ["--run", str(run)], "by file": ["--ckpt_path", str(best_of(run))]}.items():
        run_main("predict", *flags, "--images", str(photo), "--output", str(tmp_path / name))
        assert (tmp_path / name / "predictions.csv").read_text() == table
    away.rename(root)


@pytest.mark.usefixtures("renamed")
@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_a_class_that_was_renamed_gets_no_wrong_label(own: tuple[Path, Path], mistake: Mistake, command: str) -> None:
    more = ["--trainer.max_epochs", "2"] if command == "fit" else []
    line = mistake([command, "--run", str(own[0]), *QUIET, *more])
    assert line.endswith(f": rosen is none of the classes {', '.join(FLOWERS)}; did you mean roses?")


@pytest.mark.parametrize("command", ["test", "predict --images"])
def test_classes_in_another_order_are_refused(own: tuple[Path, Path], mistake: Mistake, command: str) -> None:
    run, root = own
    words = [*command.split(), str(root / "roses")] if "--images" in command else [command]
    line = mistake([*words, "--run", str(run), "--data.classes", json.dumps(FLOWERS[::-1])])
    assert "the classes are not those of the checkpoint, but in another order, so that labels would be wrong" in line


@pytest.mark.parametrize("flags", [["--data.seed", "1"], ["--data.test_fraction", "0.6"], ["--data.seed", "2"]])
def test_pictures_that_were_trained_on_are_not_tested(
    own: tuple[Path, Path], mistake: Mistake, flags: list[str]
) -> None:
    line = mistake(["test", "--run", str(own[0]), *flags])
    assert f"error: {flags[0].removeprefix('--')} {flags[1]} instead of " in line
    assert " pictures of test are among those that the run has trained on, for instance " in line
    assert line.endswith("; leave it out, or give other pictures")


@pytest.mark.parametrize("spelling", ["absolute", "slash"])
def test_a_folder_is_the_same_however_it_is_written(own: tuple[Path, Path], mistake: Mistake, spelling: str) -> None:
    run, root = own
    # Another working directory than that of the run.
    written = f"{root}/" if spelling == "slash" else str(root / ".." / root.name)
    line = mistake(["test", "--run", str(run), "--data.seed", "1", "--data.root", written])
    assert "data.seed 1 instead of 0: " in line
    assert " pictures of test are among those that the run has trained on" in line


def test_pictures_to_test_on_do_not_depend_on_the_share_to_validate_on(own: tuple[Path, Path]) -> None:
    tested = []
    for fraction in ("0.1", "0.3"):
        run_main("test", "--run", str(own[0]), "--data.val_fraction", fraction, *QUIET)
        with (own[0] / "test_pictures.csv").open(newline="") as file:
            tested.append([row["path"] for row in csv.DictReader(file)])
    # One of the six of each class, the same ones.
    assert tested[0] == tested[1]
    assert sorted(Path(path).parent.name for path in tested[0]) == list(FLOWERS)


def test_class_names_are_taken_from_the_checkpoint(own: tuple[Path, Path], mistake: Mistake) -> None:
    run, root = own
    line = mistake(
        ["predict", "--run", str(run), "--images", str(root / "roses"), "--model.class_names", "[a, b, c, d, e]"]
    )
    assert "model.class_names is taken from the checkpoint, " in line


OWN_DATAMODULE = """
from lightning_seg import ImageFolderDataModule

class Own(ImageFolderDataModule):
    def __init__(self, root: str, classes: int = 5):
        super().__init__(root, image_size=32, num_workers=0)
        self.number = classes
"""


def test_arguments_of_the_users_own_datamodule_are_its_own(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_flowers.py").write_text(OWN_DATAMODULE)
    monkeypatch.syspath_prepend(tmp_path)
    flags = ["--model", "CNNClassifierTask", "--data", "own_flowers.Own", "--data.root", str(flowers_root)]
    flags += ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", *QUIET]
    run_main("fit", *flags, "--trainer.default_root_dir", str(tmp_path / "runs"))
    run = tmp_path / "runs" / "CNNClassifierTask" / "version_0"
    run_main("test", "--run", str(run), "--data", "own_flowers.Own", *QUIET)
    assert 0 <= record(run)["test/accuracy"] <= 1
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]["classes"] == 5


def test_own_words_for_classes_stay(own: tuple[Path, Path], tmp_path: Path) -> None:
    words = ["v", "w", "x", "y", "z"]
    data = ImageFolderDataModule(own[1], image_size=32, num_workers=0)
    trainer = make_trainer()
    task = CNNClassifierTask(num_classes=5, image_size=32, class_names=words)
    trainer.fit(task, data)
    trainer.save_checkpoint(tmp_path / "words.ckpt")
    for _ in range(2):
        trainer.test(task, data, ckpt_path=tmp_path / "words.ckpt", verbose=False, weights_only=True)
    loaded = CNNClassifierTask.load_from_checkpoint(tmp_path / "words.ckpt")
    trainer.test(loaded, data, verbose=False)
    assert loaded.known_class_names() == tuple(words)


def test_classes_are_compared_also_in_a_script(own: tuple[Path, Path], flowers_copy: Path) -> None:
    (flowers_copy / "roses").rename(flowers_copy / "rosen")
    data = ImageFolderDataModule(flowers_copy, image_size=32, num_workers=0)
    task = CNNClassifierTask(num_classes=5, image_size=32)
    trainer = make_trainer()
    with pytest.raises(
        ConfigError, match=r"^the classes are not those of the checkpoint, but without roses and with rosen"
    ):
        trainer.test(task, data, ckpt_path=best_of(own[0]))


def test_a_loaded_task_knows_its_classes(own: tuple[Path, Path], flowers_copy: Path) -> None:
    (flowers_copy / "roses").rename(flowers_copy / "rosen")
    trainer = make_trainer()
    task = CNNClassifierTask.load_from_checkpoint(best_of(own[0]))
    renamed = ImageFolderDataModule(flowers_copy, image_size=32, num_workers=0)
    with pytest.raises(
        ConfigError, match=r"^the classes are not those of the checkpoint, but without roses and with rosen"
    ):
        trainer.test(task, renamed)
    turned = ImageFolderDataModule(own[1], classes=list(FLOWERS[::-1]), image_size=32, num_workers=0)
    with pytest.raises(ConfigError, match=r"^the classes are not those of the checkpoint, but in another order"):
        trainer.validate(task, turned)
    # Names that are given on purpose are other words for the same classes.
    german = ["Gänseblümchen", "Löwenzahn", "Rosen", "Sonnenblumen", "Tulpen"]
    task = CNNClassifierTask.load_from_checkpoint(best_of(own[0]), class_names=german)
    trainer.validate(task, ImageFolderDataModule(own[1], image_size=32, num_workers=0), verbose=False)
    assert task.known_class_names() == tuple(german)


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
    flags += ["--data.download", "false", "--data.cache_dir", str(tmp_path / "cache")]
    flags += ["--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "2"]
    run_main("fit", *flags, *SMALL, *QUIET, "--trainer.default_root_dir", str(tmp_path))
    assert "val/accuracy" in record(tmp_path / config / "version_0")
