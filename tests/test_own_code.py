"""Classes of the user's own on the command line, also those that have nothing but what Lightning asks for."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from lightning_seg import Predictor
from lightning_seg.__main__ import main
from lightning_seg.callbacks.picture_scores import read_picture_scores
from lightning_seg.cli import command_line
from lightning_seg.cli.resolving import resolve_config
from lightning_seg.errors import ConfigError
from lightning_seg.runs import task_arguments
from lightning_seg.tasks.segmentation import SegmentationTask
from lightning_seg.trainer import RunTrainer
from lightning_seg.trainer.run_trainer import DEFAULT_EPOCHS

Mistake = Callable[[list[str]], str]
MINE = '''
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from lightning_seg import CNNClassifierTask, UNetTask
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.segmentation import SegmentationTask


def samples(number, side=32):
    picture = torch.arange(3 * side * side).remainder(256).view(3, side, side).to(torch.uint8)
    mask = (picture[0] > 127).to(torch.uint8)
    return [{"image": picture, "mask": mask, "label": index % 2} for index in range(number)]


class Plain(pl.LightningDataModule):
    """Has nothing but loaders, and no argument."""

    def loader(self):
        return DataLoader(samples(4), batch_size=2)

    train_dataloader = val_dataloader = test_dataloader = predict_dataloader = loader


class NoPrediction(Plain):
    predict_dataloader = pl.LightningDataModule.predict_dataloader


class NoValidation(Plain):
    val_dataloader = pl.LightningDataModule.val_dataloader


class OneSide(Plain):
    image_size = 32


class Tuples(Plain):
    def loader(self):
        return DataLoader([tuple(sample.values()) for sample in samples(4)], batch_size=2)

    train_dataloader = val_dataloader = test_dataloader = predict_dataloader = loader


class Floats(Plain):
    def loader(self):
        return DataLoader([{**sample, "image": sample["image"] / 255} for sample in samples(4)], batch_size=2)

    train_dataloader = val_dataloader = test_dataloader = predict_dataloader = loader


class Stream(IterableDataset):
    def __iter__(self):
        return iter(samples(4))


class Streams(Plain):
    def loader(self):
        return DataLoader(Stream(), batch_size=2)

    train_dataloader = val_dataloader = test_dataloader = predict_dataloader = loader


class Few(SegmentationTask):
    """Takes none of the options of its base."""

    def __init__(self, num_classes: int = 2):
        super().__init__(model=nn.Conv2d(3, num_classes, 3, padding=1), num_classes=num_classes)


class Dense(ClassificationTask):
    """Takes pictures of one size, and does not say of which."""

    def __init__(self, num_classes: int = 2, **options):
        network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))
        super().__init__(model=network, num_classes=num_classes, **options)


class OwnOptimizer(UNetTask):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams["lr"])


class Handed(SegmentationTask):
    """Takes what no checkpoint holds."""

    def __init__(self, net: nn.Module, kind: type = nn.ReLU, **options):
        super().__init__(model=net, num_classes=2, **options)


class Silent(UNetTask):
    def predict_step(self, batch, batch_idx):
        return self(batch["image"])


class Module(pl.LightningModule):
    def __init__(self, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Conv2d(3, 1, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch["image"].float()).mean()

    def test_step(self, batch, batch_idx):
        self.log("test_mean", self.training_step(batch, batch_idx))

    def predict_step(self, batch, batch_idx):
        return self.layer(batch["image"].float())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.hparams["lr"])


class Misnamed(Module):
    monitor = "val_loss"
'''
CPU = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
ONE = [*CPU, "--trainer.max_epochs", "1"]
SMALL = ["--model", "UNetTask", "--model.width", "4", "--model.depth", "2"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with the user's file and a picture of 40 x 60 pixels."""
    (tmp_path / "mine.py").write_text(MINE)
    Image.new("RGB", (60, 40), "olive").save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return tmp_path


def mask_size(output: str) -> tuple[int, int]:
    (path,) = Path(output, "masks").glob("*.png")
    return Image.open(path).size


# Datamodules of one's own


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["Plain", "OneSide", "Streams"])
def test_a_datamodule_with_loaders_alone_goes_all_the_way(name: str) -> None:
    data = ["--data", f"mine.{name}"]
    assert main(["fit", *data, *SMALL, *ONE, "--run_folder", "run"]) == 0
    for command in ("validate", "test"):
        assert main([command, "--run", "run", *data, *CPU]) == 0
    assert main(["predict", "--run", "run", *data, *CPU, "--output", "all"]) == 0
    assert main(["predict", "--run", "run", *data, *CPU, "--images", "photo.png", "--output", "one"]) == 0
    assert main(["fit", "--run", "run", *CPU, "--trainer.max_epochs", "2"]) == 0
    assert len(list(Path("all", "masks").iterdir())) == 4
    assert mask_size("one") == (60, 40)
    record = json.loads(Path("run", "metrics.json").read_text())
    assert record["epochs"] == 2
    assert {"val/loss", "test/loss", "test/miou"} <= record.keys()
    # What `compare` compares: pictures that nobody names are counted.
    assert list(read_picture_scores(Path("run", "test_pictures.csv")).scores) == [f"picture_{n}" for n in range(4)]


@pytest.mark.filterwarnings("ignore")
def test_pictures_are_shown_as_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the data does not tell its size, the batches have: a picture of 40 x 60 is not shown as it is."""
    assert main(["fit", "--data", "mine.Plain", *SMALL, *ONE, "--run_folder", "run"]) == 0
    best = Path("run", "checkpoints", "best.ckpt")
    assert torch.load(best, weights_only=True)["lightning_seg"]["image_size"] == [32, 32]
    assert Predictor.from_run("run").image_size == (32, 32)
    predictor = Predictor.from_run("run", device="cpu")
    assert (
        main(["predict", "--run", "run", "--data", "mine.Plain", *CPU, "--images", "photo.png", "--output", "o"]) == 0
    )
    written = torch.tensor(list(Image.open("o/masks/photo.png").getdata())).view(40, 60)
    assert torch.equal(written, torch.from_numpy(predictor("photo.png").mask).long())


@pytest.mark.filterwarnings("ignore")
def test_without_validation_the_newest_is_the_best() -> None:
    assert main(["fit", "--data", "mine.NoValidation", *SMALL, *ONE, "--run_folder", "run"]) == 0
    assert {path.name for path in Path("run", "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert main(["test", "--run", "run", "--data", "mine.NoValidation", *CPU]) == 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("command", "name", "flags", "expected"),
    [
        (
            "test",
            "Plain",
            ["--original_size", "true"],
            "Plain has no measure_as(measuring), by which --original_size and",
        ),
        ("test", "Plain", ["--tile", "128"], "Plain has no measure_as(measuring), by which --original_size and --tile"),
        ("predict", "NoPrediction", [], "NoPrediction has no predict_dataloader; give --images, or add one to it"),
    ],
)
def test_what_a_datamodule_cannot_is_one_line(
    mistake: Mistake, command: str, name: str, flags: list[str], expected: str
) -> None:
    words = ["--data", f"mine.{name}", *SMALL, *CPU]
    assert expected in mistake([command, *words, *flags])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Tuples", "a val batch is a list of 3 (uint8 (2, 3, 32, 32), uint8 (2, 32, 32), int64 (2,)), and tasks of"),
        ("Floats", "image of a val batch is float32 (2, 3, 32, 32) with values from 0 to 1; the task divides by 255"),
    ],
)
@pytest.mark.parametrize("task", [SMALL, ["--model", "mine.Dense"]], ids=["masks", "labels"])
def test_batches_of_another_kind_are_one_line(mistake: Mistake, name: str, expected: str, task: list[str]) -> None:
    assert expected in mistake(["fit", "--data", f"mine.{name}", *task, *ONE, "--run_folder", "run"])
    assert not Path("run").exists()
    # Also where nothing is validated before.
    sanity = ["--trainer.num_sanity_val_steps", "0"]
    line = mistake(["fit", "--data", f"mine.{name}", *task, *ONE, *sanity])
    assert expected.replace("val batch", "train batch") in line


# Tasks of one's own


@pytest.mark.filterwarnings("ignore")
def test_a_task_without_the_options_of_its_base_is_predicted(pets_root: Path) -> None:
    words = ["--data", "OxfordPetsDataModule", "--data.root", str(pets_root)]
    words += ["--data.image_size", "32", "--data.num_workers", "0", "--trainer.limit_train_batches", "1"]
    assert main(["fit", "--model", "mine.Few", *words, *ONE, "--run_folder", "run"]) == 0
    own = ["--run", "run", "--model", "mine.Few", *CPU]
    assert main(["test", *own, "--trainer.limit_test_batches", "1"]) == 0
    assert main(["predict", *own, "--images", "photo.png", "--output", "out"]) == 0
    assert mask_size("out") == (60, 40)


@pytest.mark.filterwarnings("ignore")
def test_a_network_of_one_size_needs_no_word_about_it() -> None:
    words = ["--data", "mine.Plain", "--model", "mine.Dense", *ONE]
    assert main(["fit", *words, "--run_folder", "run"]) == 0
    own = ["--run", "run", "--data", "mine.Plain", "--model", "mine.Dense", *CPU]
    assert main(["predict", *own, "--images", "photo.png", "--output", "out"]) == 0


@pytest.mark.filterwarnings("ignore")
def test_a_predict_step_of_another_kind_is_one_line(mistake: Mistake) -> None:
    line = mistake(["predict", "--data", "mine.Plain", "--model", "mine.Silent", "--model.width", "4", *CPU])
    assert "predict_step of Silent returns float32 (2, 1, 32, 32), and MaskWriter writes what tasks of this" in line


@pytest.mark.filterwarnings("ignore")
def test_a_module_of_lightning_alone_goes_all_the_way(
    caplog: pytest.LogCaptureFixture, mistake: Mistake, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", "mine.Plain", "--model", "mine.Module"]
    assert main(["fit", *words, *ONE, "--run_folder", "run"]) == 0
    assert {path.name for path in Path("run", "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert main(["test", "--run", "run", *words, *CPU]) == 0
    assert main(["fit", "--run", "run", *CPU, "--trainer.max_epochs", "2"]) == 0
    assert main(["predict", "--run", "run", *words, *CPU]) == 0
    assert "nothing writes what Module predicts" in caplog.text
    assert "early_stopping: Module does not say what to watch" in mistake(
        ["fit", *words, *ONE, "--early_stopping", "1"]
    )
    line = mistake(["fit", "--data", "mine.Plain", "--model", "mine.Misnamed", *ONE])
    assert "monitor of Misnamed is 'val_loss'; give a metric and which way is better" in line


@pytest.mark.filterwarnings("ignore")
def test_an_own_optimiser_goes_on_as_it_was_saved(caplog: pytest.LogCaptureFixture) -> None:
    words = ["--data", "mine.Plain", "--model", "mine.OwnOptimizer", *SMALL[2:], *ONE]
    assert main(["fit", *words, "--run_folder", "run"]) == 0
    assert main(["fit", "--run", "run", "--model.lr", "0.5", *CPU, "--trainer.max_epochs", "2"]) == 0
    assert "OwnOptimizer makes its optimiser itself, which goes on as it was saved" in caplog.text
    state = torch.load("run/checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]
    assert state["param_groups"][0]["lr"] == 0.001


@pytest.mark.filterwarnings("ignore")
def test_what_the_data_does_not_tell_is_as_it_was_typed() -> None:
    """The config of a run leaves out what data may tell."""
    words = ["--data", "mine.Plain", *SMALL, "--model.num_classes", "3", "--model.ignore_index", "0", *ONE]
    assert main(["fit", *words, "--run_folder", "run"]) == 0
    assert main(["test", "--run", "run", "--data", "mine.Plain", *CPU]) == 0
    assert main(["fit", "--run", "run", *CPU, "--trainer.max_epochs", "2"]) == 0
    arguments = task_arguments(Path("run", "checkpoints", "last.ckpt"))
    assert (arguments["num_classes"], arguments["ignore_index"]) == (3, 0)


@pytest.mark.parametrize("flag", ["--model", "--data", "--trainer.callbacks+"])
def test_classes_of_the_other_lightning_are_named(mistake: Mistake, folder: Path, flag: str) -> None:
    (folder / "lightning" / "pytorch").mkdir(parents=True)
    (folder / "lightning" / "__init__.py").touch()
    (folder / "lightning" / "pytorch" / "__init__.py").write_text("class Part: pass")
    (folder / "other.py").write_text("import lightning.pytorch as L\nclass Theirs(L.Part): pass")
    line = mistake(["fit", "--data", "mine.Plain", *SMALL, f"{flag}=other.Theirs"])
    for module in ("other", "lightning", "lightning.pytorch"):
        sys.modules.pop(module, None)
    assert "other.Theirs derives from lightning.pytorch, and this package is built on pytorch_lightning" in line


def test_own_data_is_previewed(mistake: Mistake) -> None:
    assert main(["preview", "--data", "mine.Plain", "--output", "preview.png"]) == 0
    assert min(Image.open("preview.png").size) > 100
    assert "a train batch is a list of 3" in mistake(["preview", "--data", "mine.Tuples"])
    assert "know the draws of this package's datasets alone" in mistake(
        ["preview", "--data", "mine.Plain", "--compare"]
    )


# Checkpoints of networks that were handed over


@pytest.mark.filterwarnings("ignore")
def test_arguments_that_no_checkpoint_holds_are_said_before_training(caplog: pytest.LogCaptureFixture) -> None:
    mine = import_module("mine")
    task = mine.Handed(nn.Conv2d(3, 2, 1))
    pl.Trainer(accelerator="cpu", max_epochs=1, logger=False).fit(task, mine.Plain())
    assert "checkpoints of Handed cannot be read again" in caplog.text
    assert "its arguments have a type in kind" in caplog.text
    # A network is left out, and its weights are in the checkpoint.
    assert "net" not in task.hparams


@pytest.mark.filterwarnings("ignore")
def test_a_network_that_a_checkpoint_does_not_hold_is_named(folder: Path) -> None:
    network = nn.Conv2d(3, 2, 1)
    trainer = pl.Trainer(accelerator="cpu", logger=False, max_epochs=1, enable_checkpointing=False)
    batch: Any = {"image": torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "mask": torch.zeros(2, 8, 8, dtype=torch.uint8)}
    batches: Any = [batch]
    trainer.fit(SegmentationTask(model=network, num_classes=2), DataLoader(batches, batch_size=None))
    trainer.save_checkpoint("own.ckpt")
    for load in (Predictor.from_run, SegmentationTask.load_from_checkpoint):
        with pytest.raises(ConfigError) as raised:
            load("own.ckpt")
        assert "own.ckpt: SegmentationTask needs model, which is no plain value" in str(raised.value)
        assert "build it in the constructor of a class of your own" in str(raised.value)
    task = SegmentationTask.load_from_checkpoint("own.ckpt", model=nn.Conv2d(3, 2, 1))
    assert all(
        torch.equal(one, other) for one, other in zip(task.model.parameters(), network.parameters(), strict=True)
    )
    plain: Any = import_module("mine").Module()
    with pytest.raises(ConfigError, match="Predictor applies tasks of this package, and Module is none"):
        Predictor(plain)
    content = torch.load("own.ckpt", weights_only=True)
    content["lightning_seg"]["task"] = "__main__.MyTask"
    torch.save(content, "script.ckpt")
    with pytest.raises(ConfigError, match=r"its class __main__.MyTask stood in the script that trained it"):
        Predictor.from_run("script.ckpt")


# How long it trains where nobody says so


def epochs(*flags: str) -> int | None:
    found: int | None = resolve_config(["--data", "mine.Plain", *SMALL, *flags])["trainer"]["max_epochs"]
    return found


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], DEFAULT_EPOCHS),
        (["--trainer.max_epochs", "7"], 7),
        (["--trainer.max_epochs", "-1"], -1),
        (["--trainer.max_epochs", "null"], None),
    ],
)
def test_epochs_are_those_that_are_said(flags: list[str], expected: int | None) -> None:
    assert epochs(*flags) == expected


def train_two_epochs_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = RunTrainer.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(RunTrainer.__init__, "__kwdefaults__", {**defaults, "max_epochs": 2})
    monkeypatch.setattr(command_line, "DEFAULT_EPOCHS", 2)


def trained(capfd: pytest.CaptureFixture[str], *flags: str) -> tuple[int | None, str]:
    """What a run of one batch per epoch has in its config, and what it said."""
    limits = ["--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "0"]
    assert main(["fit", "--data", "mine.NoValidation", *SMALL, *CPU, *limits, "--run_folder", "run", *flags]) == 0
    said = capfd.readouterr().out
    return yaml.safe_load(Path("run", "config.yaml").read_text())["trainer"]["max_epochs"], said


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "flags",
    [
        ["--trainer.max_steps", "2"],
        ["--trainer.max_time", "00:00:00:01"],
        ["--trainer.callbacks+=Timer", "--trainer.callbacks.duration", "00:00:00:01"],
    ],
)
def test_another_end_has_no_limit_of_epochs(capfd: pytest.CaptureFixture[str], flags: list[str]) -> None:
    saved, said = trained(
        capfd, *flags, "--trainer.log_every_n_steps", "1000", "--trainer.enable_checkpointing", "false"
    )
    assert saved is None
    assert "nothing says how long to train" not in said


@pytest.mark.filterwarnings("ignore")
def test_the_default_is_said_saved_and_gone_on_with(
    capfd: pytest.CaptureFixture[str], mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_two_epochs_by_default(monkeypatch)
    saved, said = trained(capfd)
    assert saved == 2
    assert "trainer.max_epochs 2, since nothing says how long to train" in said
    assert json.loads(Path("run", "metrics.json").read_text())["epochs"] == 2
    assert "run has trained 2 epochs of 2" in mistake(["fit", "--run", "run", *CPU])


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_was_begun_without_a_limit_goes_on_so(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As runs of before the default have it in their config."""
    trained(capfd, "--trainer.max_epochs", "1")
    config = Path("run", "config.yaml")
    config.write_text(config.read_text().replace("max_epochs: 1", "max_epochs: null"))
    train_two_epochs_by_default(monkeypatch)
    assert main(["fit", "--run", "run", *CPU, "--trainer.max_steps", "4"]) == 0
    assert json.loads(Path("run", "metrics.json").read_text())["epochs"] == 4


def test_a_config_says_how_long(folder: Path) -> None:
    (folder / "c.yaml").write_text("trainer:\n  max_epochs: null\n")
    assert epochs("--config", "c.yaml") is None
    (folder / "c.yaml").write_text(f"trainer:\n  max_epochs: {DEFAULT_EPOCHS}\n  max_steps: 5\n")
    assert epochs("--config", "c.yaml") == DEFAULT_EPOCHS


def test_help_tells_the_default(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    assert f"Default: {DEFAULT_EPOCHS}; without limit where max_steps, max_time or a Timer" in text
    assert "1000" not in text[text.index("--trainer.max_epochs") :][:400]
