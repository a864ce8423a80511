"""A run in a folder of one's own choice."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lightning_seg.__main__ import main


@pytest.fixture
def words(pets_root: Path, tmp_path: Path) -> list[str]:
    model = {"class_path": "UNetTask", "init_args": {"num_classes": 3, "width": 4, "depth": 2}}
    data = {"class_path": "OxfordPetsDataModule", "init_args": {"root": str(pets_root), "image_size": 32}}
    (tmp_path / "small.yaml").write_text(yaml.safe_dump({"model": model, "data": data}))
    flags = ["--config", str(tmp_path / "small.yaml"), "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
    return [
        *flags,
        "--trainer.max_epochs",
        "1",
        "--trainer.limit_train_batches",
        "1",
        "--trainer.limit_val_batches",
        "1",
    ]


def test_a_run_is_written_where_it_was_asked_for(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    mistake: Callable[[list[str]], str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *words, "--run_folder", "here/mine"]) == 0
    folder = tmp_path / "here" / "mine"
    assert capfd.readouterr().out.splitlines()[-1] == str(folder)
    assert (folder / "checkpoints" / "last.ckpt").is_file()
    assert not (tmp_path / "runs").exists()
    # Whoever uses the config again gets a folder of its own.
    assert yaml.safe_load((folder / "config.yaml").read_text())["run_folder"] is None
    line = mistake(["fit", *words, "--run_folder", "here/mine"])
    assert line.endswith("run_folder here/mine: there is a run already; give another, or --run here/mine")
    line = mistake(["test", "--run", "here/mine", "--run_folder", "elsewhere"])
    assert line.endswith("run_folder elsewhere: here/mine stays where it is; leave --run_folder out")
    assert main(["test", "--run", "here/mine"]) == 0
    assert (folder / "test_pictures.csv").is_file()
    assert json.loads((folder / "metrics.json").read_text())["checkpoint/test/file"] == "best.ckpt"
