"""A run has its folder whatever the loggers are, and pictures go to all that take them."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import dict_to_namespace
from pytorch_lightning.loggers import TensorBoardLogger

from lightning_seg.__main__ import main
from lightning_seg.tasks import CNNClassifierTask
from lightning_seg.trainer.run_loggers import chosen_loggers, loggers_of
from tests.trainer.small_runs import HERE, told, write_small

RUN = Path("runs/small/version_0")
LOGGERS: dict[str, Any] = {
    "like W&B": {"class_path": f"{HERE}.LikeWandb"},
    "like MLflow": {"class_path": f"{HERE}.LikeMlflow"},
    "several": [{"class_path": f"{HERE}.{name}"} for name in ("LikeMlflow", "LikeWandb")],
    "a table elsewhere": [
        {"class_path": f"{HERE}.LikeWandb"},
        {"class_path": "CSVLogger", "init_args": {"save_dir": "tables"}},
    ],
    "none": False,
}
OWN_FOLDERS = {
    "like W&B": {"wandb"},
    "like MLflow": {"mlruns"},
    "several": {"wandb", "mlruns"},
    "a table elsewhere": {"wandb", "tables"},
    "none": set[str](),
}
TRUSTED = ["--trust_config"]
"""Loggers of the user's own stand in the config of the run."""
ALWAYS = {"config.yaml", "metrics.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "confusion_matrix_val.png"}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def last_line(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().out.splitlines()[-1]


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def epochs_in(table: Path) -> list[str]:
    with table.open(newline="") as file:
        return [row["epoch"] for row in csv.DictReader(file) if row["train/loss"]]


def record(run: Path = RUN) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return content


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", LOGGERS)
def test_a_run_has_its_folder_whatever_the_loggers(
    kind: str, num_workers: int, flowers_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_small(flowers_root, num_workers, logger=LOGGERS[kind])
    assert main(["fit", "--config", str(config)]) == 0
    assert last_line(capfd) == str(RUN)
    names = files_of(RUN)
    assert names >= ALWAYS | {"samples/epoch_000.png", "samples/epoch_001.png"}
    assert not [name for name in names if "tfevents" in name]
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml", "runs", *OWN_FOLDERS[kind]}
    assert ("metrics.csv" in names) == (kind != "none")

    assert main(["test", "--run", "runs/small", *TRUSTED]) == 0
    assert last_line(capfd) == str(tmp_path / RUN)
    assert {"test/accuracy", "best/val/accuracy", "data_wait_share"} <= record().keys()
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "2"]) == 0
    assert record()["epochs"] == 2
    assert torch.load(RUN / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == 1
    assert [path.name for path in RUN.parent.iterdir()] == ["version_0"]
    if kind != "none":
        assert epochs_in(RUN / "metrics.csv") == ["0", "1"]
        assert (RUN / "curves.png").is_file()


@pytest.mark.parametrize("kind", ["like W&B", "none"])
def test_the_next_run_gets_the_next_number_and_a_named_folder_is_taken(
    kind: str, flowers_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write_small(flowers_root, logger=LOGGERS[kind])
    for expected in (RUN, RUN.with_name("version_1")):
        assert main(["fit", "--config", str(config)]) == 0
        assert last_line(capfd) == str(expected)
    assert main(["fit", "--config", str(config), "--run_folder", "here/mine"]) == 0
    assert last_line(capfd) == str(tmp_path / "here" / "mine")
    assert files_of(tmp_path / "here" / "mine") >= ALWAYS
    assert not (tmp_path / "checkpoints").exists()
    assert main(["predict", "--run", "here/mine", "--output", "out", *TRUSTED]) == 0
    assert (tmp_path / "out" / "predictions.csv").is_file()


def test_pictures_go_to_every_logger_that_takes_them(flowers_root: Path) -> None:
    loggers = [*LOGGERS["several"], {"class_path": "TensorBoardLogger", "init_args": {"save_dir": "board"}}]
    assert main(["fit", "--config", str(write_small(flowers_root, logger=loggers, log_every_n_steps=1))]) == 0
    to_wandb = told(Path("wandb/run_0"), "image")
    # Before training, and after an epoch of 3 steps, whose last one is called 2.
    for key, steps in (("samples", [0, 2]), ("confusion_matrix/val", [2])):
        assert [one["step"] for one in to_wandb if one["key"] == key] == steps
    assert all(one["shapes"][0][2] == 3 for one in to_wandb)
    to_mlflow = [one["key"] for one in told(Path("mlruns/run_0"), "image")]
    assert sorted(to_mlflow) == [
        "confusion_matrix/val/step_000002.png",
        "samples/step_000000.png",
        "samples/step_000002.png",
    ]
    metrics = [one for one in told(Path("wandb/run_0"), "metrics") if "val/accuracy" in one]
    assert metrics[0]["val/accuracy"] == pytest.approx(record()["val/accuracy"], abs=1e-6)
    assert "lr" in {key for one in told(Path("mlruns/run_0"), "metrics") for key in one}


PACKAGES = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow", "CometLogger": "comet"}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_logger_whose_package_is_missing_is_one_line(
    name: str, flowers_root: Path, mistake: Callable[[list[str]], str]
) -> None:
    if find_spec({"comet": "comet_ml"}.get(PACKAGES[name], PACKAGES[name])):
        pytest.skip(f"{PACKAGES[name]} is installed")
    line = mistake(["fit", "--config", str(write_small(flowers_root)), "--trainer.logger", name])
    assert f"{name} needs a package that is not installed; pip install '{PACKAGES[name]}" in line
    assert not Path("runs").exists()


def test_w_and_b_works_offline(flowers_root: Path) -> None:
    pytest.importorskip("wandb")
    logger = {"class_path": "WandbLogger", "init_args": {"offline": True}}
    for _ in range(2):
        assert main(["fit", "--config", str(write_small(flowers_root, logger=logger))]) == 0
    assert {path.name for path in Path("runs/small").iterdir()} == {"version_0", "version_1"}
    assert files_of(RUN) >= ALWAYS
    assert list(Path("wandb").rglob("*samples*.png"))


def test_mlflow_works_offline(flowers_root: Path) -> None:
    pytest.importorskip("mlflow")
    for _ in range(2):
        assert main(["fit", "--config", str(write_small(flowers_root)), "--trainer.logger", "MLFlowLogger"]) == 0
    assert {path.name for path in Path("runs/small").iterdir()} == {"version_0", "version_1"}
    assert files_of(RUN) >= ALWAYS
    assert list(Path("mlruns").rglob("samples/step_*.png"))


# Lightning's loggers that name a folder


@pytest.mark.parametrize("kind", ["TensorBoardLogger", "CSVLogger"])
def test_a_logger_that_names_the_folder_goes_on_in_it(
    kind: str, flowers_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logger = {"class_path": kind, "init_args": {"save_dir": "logs", "name": "mine"}}
    config = write_small(flowers_root, logger=logger)
    assert main(["fit", "--config", str(config)]) == 0
    assert last_line(capfd) == "logs/mine/version_0"
    run = Path("logs/mine/version_0")
    assert files_of(run) >= ALWAYS
    assert main(["fit", "--run", "logs/mine", "--trainer.max_epochs", "2"]) == 0
    assert epochs_in(run / "metrics.csv") == ["0", "1"]
    events = list(run.glob("events.out.tfevents.*"))
    assert len(events) == (2 if kind == "TensorBoardLogger" else 0)
    assert [path.name for path in run.parent.iterdir()] == ["version_0"]
    assert not Path("runs").exists()


def test_two_such_loggers_in_one_place_share_the_folder_and_a_typed_one_wins(
    flowers_root: Path, tmp_path: Path
) -> None:
    loggers = [{"class_path": name, "init_args": {"save_dir": "logs"}} for name in ("TensorBoardLogger", "CSVLogger")]
    config = write_small(flowers_root, logger=loggers)
    assert main(["fit", "--config", str(config)]) == 0
    assert [path.name for path in Path("logs/lightning_logs").iterdir()] == ["version_0"]
    assert main(["fit", "--config", str(config), "--run_folder", "mine"]) == 0
    assert [path.name for path in Path("logs/lightning_logs").iterdir()] == ["version_0"]
    for run in (tmp_path / "mine", Path("logs/lightning_logs/version_0")):
        assert len(list(run.glob("events.out.tfevents.*"))) == 1
        assert epochs_in(run / "metrics.csv") == ["0"]


def test_a_version_that_is_given_is_taken_once(flowers_root: Path, mistake: Callable[[list[str]], str]) -> None:
    logger = {"class_path": "CSVLogger", "init_args": {"save_dir": "logs", "name": "", "version": "mine"}}
    words = ["fit", "--config", str(write_small(flowers_root, logger=logger))]
    assert main(words) == 0
    assert files_of(Path("logs/mine")) >= ALWAYS
    line = mistake(words)
    assert line.endswith("logs/mine: there is a run already; give another folder, or --run logs/mine")


def test_arguments_of_a_logger_stay_what_they_are() -> None:
    """Also those that Lightning hands on to TensorBoard."""
    node = dict_to_namespace({"init_args": {"save_dir": "logs", "sub_dir": "s"}, "dict_kwargs": {"max_queue": 3}})
    chosen = chosen_loggers(TensorBoardLogger("logs", sub_dir="s", max_queue=3), node)
    board, table = loggers_of(Path("a/b/c"), chosen, trains=True)
    assert (board.log_dir, table.log_dir) == ("a/b/c/s", "a/b/c")


# Where nothing is kept


def test_what_fails_before_its_first_step_leaves_nothing(
    flowers_root: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    for logger in (LOGGERS["like W&B"], False):
        mistake(["fit", "--config", str(write_small(flowers_root, logger=logger)), "--model.optimizer", "sdg"])
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_barebones_trains_and_keeps_nothing(
    flowers_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    step = CNNClassifierTask.training_step

    def counted(task: CNNClassifierTask, batch: Any, batch_idx: int) -> Any:
        steps.append(batch_idx)
        return step(task, batch, batch_idx)

    monkeypatch.setattr(CNNClassifierTask, "training_step", counted)
    config = write_small(flowers_root, barebones=True)
    assert main(["fit", "--config", str(config)]) == 0
    assert steps == [0, 1, 2]
    assert "version_" not in capfd.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize("how", ["barebones", "fast_dev_run"])
def test_a_folder_for_nothing_is_one_line(how: str, flowers_root: Path, mistake: Callable[[list[str]], str]) -> None:
    arguments: dict[str, Any] = {how: True}
    config = write_small(flowers_root, **arguments)
    line = mistake(["fit", "--config", str(config), "--run_folder", "mine"])
    assert line.endswith(f"run_folder mine: with trainer.{how} nothing is kept; leave one of them out")


def test_what_barebones_cannot_do_is_one_line(flowers_root: Path, mistake: Callable[[list[str]], str]) -> None:
    config = write_small(flowers_root, barebones=True, logger=LOGGERS["like W&B"])
    assert "trainer.barebones keeps nothing of a run: " in mistake(["fit", "--config", str(config)])


# Checkpoints of others


OWN_TASK = """
import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.callbacks import ModelCheckpoint

class Mean(LightningModule):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch, batch_idx):
        return self.factor * batch["image"].float().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

    def configure_callbacks(self):
        return [ModelCheckpoint(filename="mine")]
"""


def test_checkpoints_of_a_task_of_ones_own_lie_in_the_run_folder(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("own_mean_task.py").write_text(OWN_TASK)
    config = write_small(flowers_root, logger=LOGGERS["like W&B"])
    content = yaml.safe_load(config.read_text())
    content["model"] = {"class_path": "own_mean_task.Mean"}
    config.write_text(yaml.safe_dump(content))
    assert main(["fit", "--config", str(config)]) == 0
    assert {"config.yaml", "metrics.json", "checkpoints/mine.ckpt"} <= files_of(RUN)
    assert not list(tmp_path.glob("wandb/**/*.ckpt"))


# Other ends


def test_an_interrupted_run_names_its_folder(
    flowers_root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    step = CNNClassifierTask.training_step

    def interrupted(task: CNNClassifierTask, batch: Any, batch_idx: int) -> Any:
        if task.current_epoch == 1:
            raise KeyboardInterrupt
        return step(task, batch, batch_idx)

    monkeypatch.setattr(CNNClassifierTask, "training_step", interrupted)
    config = write_small(flowers_root, logger=LOGGERS["like W&B"], max_epochs=2)
    assert main(["fit", "--config", str(config)]) == 130
    goes_on = f"1 of 2 epochs are done and saved; lightning-seg fit --run {RUN} goes on\n"
    assert capfd.readouterr().err.endswith(f"lightning-seg: stopped by SIGINT: {goes_on}")


GONE_ON = [pytest.param(kind, 2, marks=pytest.mark.slow) for kind in ("like W&B", "like MLflow", "none")]


@pytest.mark.parametrize(("kind", "num_epochs"), [("like W&B", 1), *GONE_ON])
def test_two_processes_have_one_folder(kind: str, num_epochs: int, flowers_root: Path, tmp_path: Path) -> None:
    config = write_small(flowers_root, logger=LOGGERS[kind])
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    repository = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])}
    commands = [["--config", str(config)], ["--run", "runs/small", "--trainer.max_epochs", "2"]]
    for words in commands[:num_epochs]:
        command = [sys.executable, "-m", "lightning_seg", "fit", *words, *two]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].endswith(str(RUN))
    assert files_of(RUN) >= ALWAYS
    assert record()["epochs"] == num_epochs
    assert [path.name for path in Path("runs/small").iterdir()] == ["version_0"]
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml", "runs", *OWN_FOLDERS[kind]}
