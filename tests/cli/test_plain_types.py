from pathlib import Path

import pytest
import yaml

from lightning_seg.__main__ import main
from tests.survival.killing import write_config

AVERAGING = {"swa_lrs": 0.01, "swa_epoch_start": 1, "annealing_epochs": 1}


def test_devices_and_durations_of_callbacks_can_be_gone_on_with(
    flowers_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path / "small.yaml", flowers_root, max_epochs=2)
    callbacks = [
        {"class_path": "StochasticWeightAveraging", "init_args": AVERAGING},
        {"class_path": "Timer", "init_args": {"duration": "00:01:00:00"}},
    ]
    Path("more.yaml").write_text(yaml.safe_dump({"trainer": {"callbacks+": callbacks}}))
    assert main(["fit", "--config", str(config), "--config", "more.yaml"]) == 0
    saved = yaml.safe_load(Path("runs/small/version_0/config.yaml").read_text())["trainer"]["callbacks"]
    assert saved[1]["init_args"]["device"] == "cpu"
    assert (saved[2]["init_args"]["duration"], saved[2]["init_args"]["interval"]) == ("00:01:00:00", "step")
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "3"]) == 0
