"""``fit --ema``: through the command line, beside everything else that a training may have."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_seg import CNNClassifierTask, Predictor
from lightning_seg.__main__ import main
from lightning_seg.tasks.resuming import TRAINED
from tests.trainer.small_runs import write_small

RUN = Path("runs/small/version_0")


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def content(name: str = "last", run: Path = RUN) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return found


def metrics(run: Path = RUN) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return found


def with_ema(config: Path, value: float | None) -> str:
    config.write_text(yaml.safe_dump({**yaml.safe_load(config.read_text()), "ema": value}))
    return str(config)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_what_is_validated_is_kept_tested_and_applied(
    num_workers: int, flowers_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = with_ema(write_small(flowers_root, num_workers, max_epochs=2), 0.99)
    assert main(["fit", "--config", config]) == 0
    last = content()
    averages = {name: value for name, value in last["state_dict"].items() if name.endswith("weight")}
    assert any(not torch.equal(value, last[TRAINED][name]) for name, value in averages.items())
    validated = metrics()
    assert validated["ema"] == 0.99
    # The same weights as in the training: with one epoch's the same values.
    assert main(["validate", "--run", str(RUN), "--ckpt_path", str(RUN / "checkpoints" / "last.ckpt")]) == 0
    assert metrics()["val/loss"] == pytest.approx(validated["val/loss"], rel=1e-5)
    capfd.readouterr()
    assert main(["test", "--run", "runs/small"]) == 0
    assert "best.ckpt: averaged weights" in capfd.readouterr().out
    best = content("best")["state_dict"]
    loaded = Predictor.from_run("runs/small").task.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in best.items())
    own = CNNClassifierTask.load_from_checkpoint(RUN / "checkpoints" / "best.ckpt").state_dict()
    assert all(torch.equal(value, own[name]) for name, value in best.items())


def test_what_is_typed_wins_on_a_continued_run(
    flowers_root: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    config = with_ema(write_small(flowers_root), 0.9)
    assert main(["fit", "--config", config, "--ema", "0.5"]) == 0
    assert metrics()["ema"] == 0.5
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "2"]) == 0
    assert content()["averaging_state"]["n_averaged"].item() == content()["global_step"]
    capfd.readouterr()
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "3", "--ema", "null"]) == 0
    assert "ema null instead of 0.5" in capfd.readouterr().out
    assert "the training goes on from the trained ones" in caplog.text
    assert TRAINED not in content()
    assert metrics()["ema"] is None
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "4", "--ema", "0.9"]) == 0
    assert "the average begins with its weights" in caplog.text
    assert metrics()["ema"] == 0.9


@pytest.mark.parametrize(
    "callback",
    [
        {"class_path": "LearningRateFinder", "init_args": {"num_training_steps": 10, "early_stop_threshold": None}},
        {"class_path": "BatchSizeFinder", "init_args": {"init_val": 2, "max_trials": 1, "steps_per_trial": 1}},
    ],
    ids=lambda given: given["class_path"],
)
def test_what_is_tried_before_the_training_is_not_averaged(callback: dict[str, Any], flowers_root: Path) -> None:
    config = with_ema(write_small(flowers_root, callbacks=[callback]), 0.9)
    assert main(["fit", "--config", config]) == 0
    last = content()
    assert last["averaging_state"]["n_averaged"].item() == last["global_step"] > 0


def test_it_goes_with_a_compiled_network_and_with_one_batch(flowers_root: Path) -> None:
    compiled = {"class_path": "lightning_seg.callbacks.Compile", "init_args": {"backend": "eager"}}
    assert main(["fit", "--config", with_ema(write_small(flowers_root, callbacks=[compiled]), 0.9)]) == 0
    last = content()
    assert any(not torch.equal(value, last[TRAINED][name]) for name, value in last["state_dict"].items())
    assert all("_orig_mod" not in name for name in last["state_dict"])
    assert main(["fit", "--config", "small.yaml", "--trainer.fast_dev_run", "true"]) == 0


def test_two_ways_of_averaging_are_one_line(flowers_root: Path, mistake: Callable[[list[str]], str]) -> None:
    for name in ("EMAWeightAveraging", "WeightAveraging", "ModelPruning", "StochasticWeightAveraging"):
        given: dict[str, Any] = {"class_path": name}
        if name == "ModelPruning":
            given["init_args"] = {"pruning_fn": "l1_unstructured"}
        if name == "StochasticWeightAveraging":
            given["init_args"] = {"swa_lrs": 0.01}
        line = mistake(["fit", "--config", str(write_small(flowers_root, callbacks=given)), "--ema", "0.9"])
        assert f"ema and {name} among trainer.callbacks; leave one of them out" in line


def test_the_weights_of_other_precisions_are_averaged_too(flowers_root: Path) -> None:
    config = with_ema(write_small(flowers_root, precision="bf16-mixed"), 0.9)
    assert main(["fit", "--config", config]) == 0
    assert {value.dtype for value in content()["state_dict"].values()} <= {torch.float32, torch.int64}


@pytest.mark.slow
def test_two_processes_measure_the_average_that_is_kept(pets_root: Path) -> None:
    """The statistics of normalising layers differ between processes until they are shared."""
    network = {"num_classes": 3, "width": 4, "depth": 2}
    data = {"root": str(pets_root), "image_size": 32, "batch_size": 2, "num_workers": 0}
    Path("small.yaml").write_text(
        yaml.safe_dump(
            {
                "model": {"class_path": "UNetTask", "init_args": network},
                "data": {"class_path": "OxfordPetsDataModule", "init_args": data},
                "ema": 0.9,
            }
        )
    )
    words = [sys.executable, "-m", "lightning_seg", "fit", "--config", "small.yaml", "--trainer.accelerator", "cpu"]
    words += ["--trainer.devices", "2", "--trainer.strategy", "ddp_spawn", "--trainer.max_epochs", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    validated = metrics()
    # The same pictures in one process, by the file.
    assert main(["validate", "--run", "runs/small", "--trainer.devices", "1", "--trainer.strategy", "auto"]) == 0
    for name in ("val/loss", "val/miou"):
        assert metrics()[name] == pytest.approx(validated[name], rel=1e-4)


@pytest.mark.slow
def test_variants_are_compared_with_and_without(flowers_root: Path) -> None:
    Path("averaged.yaml").write_text("ema: 0.5\n")
    words = ["compare", "--config", str(write_small(flowers_root)), "--variant", "plain"]
    assert main([*words, "--variant", "averaged:averaged.yaml", "--seeds", "1", "--output", "compared"]) == 0
    found = {path.parent: metrics(path.parent).get("ema") for path in Path("compared").rglob("metrics.json")}
    assert sorted(found.values(), key=str) == [0.5, None]
    assert len({metrics(run)["initial_weights"] for run in found}) == 1
