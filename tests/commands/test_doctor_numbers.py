"""Numbers and speed through the command line."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_seg.__main__ import main

Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], pets_root: Path
) -> Doctor:
    """Runs the command in an empty folder, for little time, and returns its exit code and what it prints."""
    for module in ("speed", "steps"):
        monkeypatch.setattr(f"lightning_seg.doctor.advice.{module}.SECONDS", 0.5)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    def run(*flags: str, config: str | None = "pets") -> tuple[int, str]:
        data = ["--data.root", str(pets_root), "--data.cache_dir", str(tmp_path / "cache"), "--data.image_size", "32"]
        kind = ["--config", config, "--data.download", "false"] if config else ["--data", "OxfordPetsDataModule"]
        code = main(["doctor", *kind, *data, "--output", str(tmp_path / "out"), *flags])
        return code, capfd.readouterr().out

    return run


def numbers_json(tmp_path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tmp_path / "out" / "numbers.json").read_text())
    return content


@pytest.mark.parametrize("num_workers", ["0", "2"])
def test_the_network_of_a_config_is_measured(doctor: Doctor, tmp_path: Path, num_workers: str) -> None:
    code, said = doctor("--data.num_workers", num_workers)
    assert code == 0
    assert re.search(r"network: [\d.,]+ pictures/s in training on cpu", said)
    assert "the network takes mean 0.485 0.456 0.406" in said
    plain = numbers_json(tmp_path)
    assert plain["speed"]["num_workers"] == int(num_workers)
    assert plain["speed"]["training"] > 0
    # The config asks for a cache, which is not filled here.
    assert plain["speed"]["later"] > plain["speed"]["loading"] > 0
    assert [one["name"] for one in plain["numbers"]["classes"]] == ["pet", "background", "border"]
    # Neither a run nor a cache is left behind.
    assert list((tmp_path / "empty").iterdir()) == []
    assert not list((tmp_path / "cache").rglob("index.json"))


def test_without_a_network_one_line_says_so(doctor: Doctor, tmp_path: Path) -> None:
    code, said = doctor(config=None)
    assert code == 0
    assert said.count("network:") == 1
    assert "network: none is given" in said
    assert "the network takes" not in said
    assert numbers_json(tmp_path)["speed"]["training"] is None


def test_speed_can_be_left_out(doctor: Doctor, tmp_path: Path) -> None:
    code, said = doctor("--speed", "false")
    assert code == 0
    assert "loader:" not in said
    assert numbers_json(tmp_path)["speed"] is None
    # Still known without measuring.
    assert "the network takes mean" in said


def test_a_network_that_cannot_be_built_is_found(doctor: Doctor, tmp_path: Path) -> None:
    code, said = doctor("--model.optimizer", "nonsense", "--speed", "false")
    assert code == 1
    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    (refused,) = [one for one in findings if one["name"] == "network-refused"]
    assert "nonsense" in refused["detail"]
    assert "network-refused" in said
    # And the dataset is looked at all the same.
    assert numbers_json(tmp_path)["numbers"]["pictures"]["train"] > 0


def test_flags_of_the_model_count(doctor: Doctor) -> None:
    code, said = doctor("--model.normalization", "symmetric", "--speed", "false")
    assert code == 0
    assert "the network takes mean 0.500 0.500 0.500" in said
    assert "left aside" not in said


def test_a_run_is_looked_at_with_its_network(doctor: Doctor, tmp_path: Path, pets_root: Path) -> None:
    given = {"root": str(pets_root), "image_size": 32, "batch_size": 4, "num_workers": 0}
    content = {
        "model": {"class_path": "lightning_seg.UNetTask", "init_args": {"width": 4, "depth": 2}},
        "data": {"class_path": "lightning_seg.OxfordPetsDataModule", "init_args": given},
        "trainer": {"max_epochs": 1},
    }
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(yaml.safe_dump(content))
    flags = ["--data.cache_dir", str(tmp_path / "cache"), "--output", str(tmp_path / "out")]
    assert main(["doctor", "--run", str(run), *flags]) == 0
    plain = numbers_json(tmp_path)
    assert plain["numbers"]["normalization"] == {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    assert plain["speed"]["training"] > 0
    assert [path.name for path in run.iterdir()] == ["config.yaml"]


def test_boxes_are_looked_at_without_training_on_them(tmp_path: Path, scenes_root: Path) -> None:
    flags = ["--data.root", str(scenes_root), "--data.cache_dir", str(tmp_path / "cache")]
    assert main(["doctor", "--data", "CocoObjectsDataModule", *flags, "--output", str(tmp_path / "out")]) == 0
    plain = numbers_json(tmp_path)
    assert plain["numbers"]["counted"] == "boxes"
    assert plain["numbers"]["pictures"] == {"test": 4}
    assert plain["speed"] is None


@pytest.mark.slow
def test_a_class_weights_auto_training_takes_the_same_weights(doctor: Doctor, tmp_path: Path, pets_root: Path) -> None:
    assert doctor("--speed", "false")[0] == 0
    weights = [one["weight"] for one in numbers_json(tmp_path)["numbers"]["classes"]]
    run = tmp_path / "run"
    flags = ["--config", "pets", "--data.root", str(pets_root), "--data.download", "false", "--data.image_size", "32"]
    flags += ["--data.cache", "false", "--data.num_workers", "0", "--model.encoder_weights", "null"]
    flags += ["--model.freeze_encoder_norm", "false", "--model.class_weights", "auto", "--trainer.max_epochs", "1"]
    assert main(["fit", *flags, "--trainer.limit_train_batches", "1", "--run_folder", str(run)]) == 0
    stored = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["hyper_parameters"]["class_weights"]
    assert weights == stored


def test_lines_for_a_training_on_the_config_are_not_said(doctor: Doctor, caplog: pytest.LogCaptureFixture) -> None:
    """fit says that it takes no weights for synthetic pictures, and that random features learn slowly."""
    code, said = doctor("--data.source", "synthetic", "--speed", "false")
    assert code == 0
    assert "the network takes mean" in said
    assert caplog.messages == []
