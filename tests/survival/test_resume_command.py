"""``fit --run`` on runs that stopped elsewhere than at the end of an epoch, or were trained with searched values."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_seg.__main__ import main
from tests.survival.killing import different, run, write_config

SEARCHES = [
    {"class_path": "BatchSizeFinder", "init_args": {"init_val": 2, "max_trials": 2, "steps_per_trial": 1}},
    {
        "class_path": "LearningRateFinder",
        "init_args": {"num_training_steps": 20, "min_lr": 1e-4, "max_lr": 1e-2, "early_stop_threshold": None},
    },
]


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


def test_what_was_searched_for_once_is_not_searched_for_again(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / "searched.yaml", flowers_root, max_epochs=4)
    (tmp_path / "search.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks+": SEARCHES}}))
    assert main(["fit", "--config", str(config), "--config", "search.yaml"]) == 0
    last = Path("runs/searched/version_0/checkpoints/last.ckpt")
    before = content(last)
    rate = before["hyper_parameters"]["lr"]
    assert before["lightning_seg"]["batch_size"] == 4
    assert rate != 0.001
    capsys.readouterr()
    assert main(["fit", "--run", "runs/searched", "--trainer.max_epochs", "5"]) == 0
    said = capsys.readouterr().out
    assert "data.batch_size 4, as BatchSizeFinder has found it" in said
    assert f"model.lr {rate}, as LearningRateFinder has found it" in said
    after = content(last)
    assert after["hyper_parameters"]["lr"] == rate
    # 20 pictures to train on.
    assert (before["global_step"], after["global_step"]) == (20, 25)
    assert main(["fit", "--run", "runs/searched", "--trainer.max_epochs", "6", "--data.batch_size", "2"]) == 0
    assert content(last)["global_step"] == 35


def test_a_checkpoint_of_the_middle_of_an_epoch_says_so_and_goes_on(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / "small.yaml", flowers_root, max_epochs=2, num_workers=2)
    assert main(["fit", "--config", str(config)]) == 0
    folder = Path("runs/small/version_0/checkpoints")
    whole = content(folder / "last.ckpt")["state_dict"]
    capsys.readouterr()
    (middle,) = folder.glob("*=12.ckpt")
    assert main(["fit", "--run", str(middle)]) == 0
    assert f"{middle}: weights, state of optimiser and schedule, 1 epochs and 2 batches done" in capsys.readouterr().out
    assert different(content(folder / "last.ckpt")["state_dict"], whole) == []
    # Of a run that was killed in its first epoch nothing else is there.
    for path in (folder / "last.ckpt", folder / "best.ckpt", *folder.glob("*=[12][0-9]*.ckpt")):
        path.unlink()
    assert main(["fit", "--run", "runs/small"]) == 0
    assert (
        "step_step=9.ckpt: weights, state of optimiser and schedule, 0 epochs and 9 batches" in capsys.readouterr().out
    )
    assert different(content(folder / "last.ckpt")["state_dict"], whole) == []


def test_an_epoch_whose_end_is_missing_is_ended(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a run that was killed while it validated."""
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / "small.yaml", flowers_root, max_epochs=2, every=5)
    assert main(["fit", "--config", str(config)]) == 0
    folder = Path("runs/small/version_0")
    rows, whole = (folder / "metrics.csv").read_text(), content(folder / "checkpoints" / "last.ckpt")["state_dict"]
    (left,) = (folder / "checkpoints").glob("*=20.ckpt")
    for path in (folder / "checkpoints").iterdir():
        if path != left:
            path.unlink()
    assert main(["fit", "--run", "runs/small"]) == 0
    assert (folder / "checkpoints" / "best.ckpt").is_file()
    assert different(content(folder / "checkpoints" / "last.ckpt")["state_dict"], whole) == []
    assert sorted((folder / "metrics.csv").read_text().splitlines()) == sorted(rows.splitlines())


@pytest.mark.parametrize("how", [True, "link"])
def test_a_last_checkpoint_of_the_users_own_is_the_one_that_is_gone_on_from(
    how: bool | str, flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # 10 steps an epoch: the command line's own comes first.
    config = write_config(tmp_path / "small.yaml", flowers_root, max_epochs=2, every=12)
    content_of = yaml.safe_load(config.read_text())
    content_of["trainer"]["callbacks"][0]["init_args"]["save_last"] = how
    config.write_text(yaml.safe_dump(content_of))
    assert main(["fit", "--config", str(config)]) == 0
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "3"]) == 0
    folder = Path("runs/small/version_0/checkpoints")
    assert {path.name for path in folder.glob("*last*")} == {"last.ckpt"}
    assert not (folder / "last.ckpt").is_symlink()
    assert content(folder / "last.ckpt")["global_step"] == 30
    assert content(folder / "step_step=24.ckpt")["global_step"] == 24


OF_FLOWERS = {"class_path": "FlowersDataModule", "init_args": {"image_size": 32, "batch_size": 3, "val_fraction": 0.4}}
OF_PETS = {"class_path": "OxfordPetsDataModule", "init_args": {"image_size": 64, "batch_size": 4}}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "SmpTask": ({"encoder_name": "resnet18", "encoder_weights": None}, OF_PETS),
    "TimmClassifierTask": ({"arch": "resnet10t", "weights": None, "drop_rate": 0.3}, OF_FLOWERS),
    "SlidingDetectorTask": (
        {"backbone": "mobilenet_v2", "weights": None, "window": 32, "freeze_encoder": False},
        OF_FLOWERS,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_goes_on_bit_by_bit(
    kind: str,
    num_workers: int,
    flowers_root: Path,
    pets_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / "small.yaml", flowers_root, max_epochs=2, every=2)
    arguments, data = KINDS[kind]
    root = pets_root if data is OF_PETS else flowers_root
    whole_config = yaml.safe_load(config.read_text())
    whole_config["model"] = {"class_path": kind, "init_args": {**arguments, "optimizer": "adamw", "schedule": "cosine"}}
    whole_config["data"] = {**data, "init_args": {**data["init_args"], "root": str(root), "num_workers": num_workers}}
    config.write_text(yaml.safe_dump(whole_config))
    assert main(["fit", "--config", str(config)]) == 0
    run_folder = Path("runs/small/version_0")
    whole, rows = content(run_folder / "checkpoints" / "last.ckpt"), (run_folder / "metrics.csv").read_text()
    # In the first epoch, at its end or in the middle of the second, and from where the one before has come to.
    for step in (2, 4, 6):
        (middle,) = (run_folder / "checkpoints").glob(f"*={step}.ckpt")
        assert main(["fit", "--run", str(middle)]) == 0
        end = content(run_folder / "checkpoints" / "last.ckpt")
        assert end["global_step"] == whole["global_step"]
        assert different(end["state_dict"], whole["state_dict"]) == []
        assert sorted((run_folder / "metrics.csv").read_text().splitlines()) == sorted(rows.splitlines())


def test_where_nothing_validates_no_best_checkpoint_holds_nan(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / "small.yaml", flowers_root, max_epochs=1, val_fraction=0.0)
    assert main(["fit", "--config", str(config), "--on_nan", "warn", "--model.lr", "1e30"]) == 0
    folder = Path("runs/small/version_0/checkpoints")
    assert (folder / "last.ckpt").is_file()
    assert not (folder / "best.ckpt").exists()


@pytest.mark.slow
def test_two_processes_go_on_in_the_middle_of_an_epoch(flowers_root: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path / "small.yaml", flowers_root, max_epochs=2, num_workers=2)
    two = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    run(["fit", "--config", str(config), *two], tmp_path)
    folder = tmp_path / "runs" / "small" / "version_0" / "checkpoints"
    whole = content(folder / "last.ckpt")["state_dict"]
    # 5 steps of 2 processes an epoch.
    for step in (3, 6):
        (middle,) = folder.glob(f"*={step}.ckpt")
        again = tmp_path / f"again_{step}"
        shutil.copytree(folder.parent, again)
        run(["fit", "--run", str(again / "checkpoints" / middle.name)], tmp_path)
        assert different(content(again / "checkpoints" / "last.ckpt")["state_dict"], whole) == []
