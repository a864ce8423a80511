"""Callbacks as they stand in configs of users of Lightning: every one, written in every way."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning.callbacks
import torch
import yaml

from lightning_seg.__main__ import main
from tests.trainer.small_runs import write_small

RUN = Path("runs/small/version_0")
FUNCTIONS = """
def size(batch):
    return len(batch["image"])

def note(trainer, module):
    open("noted.txt", "a").write(f"{trainer.current_epoch}\\n")
"""
CALLBACKS: dict[str, dict[str, Any]] = {
    "BatchSizeFinder": {"init_val": 2, "max_trials": 1, "steps_per_trial": 1},
    "DeviceStatsMonitor": {},
    "EMAWeightAveraging": {"decay": 0.9},
    "EarlyStopping": {"monitor": "val/loss", "patience": 5},
    "GradientAccumulationScheduler": {"scheduling": {0: 2, 1: 1}},
    "LambdaCallback": {"on_train_epoch_end": "own_callback_functions.note"},
    "LearningRateFinder": {"num_training_steps": 10, "early_stop_threshold": None},
    "LearningRateMonitor": {"logging_interval": "epoch"},
    "ModelCheckpoint": {"monitor": "val/loss"},
    "ModelPruning": {"pruning_fn": "l1_unstructured", "amount": 0.5, "use_lottery_ticket_hypothesis": False},
    "ModelSummary": {"max_depth": 2},
    "OnExceptionCheckpoint": {"dirpath": "kept"},
    "SpikeDetection": {},
    "StochasticWeightAveraging": {"swa_lrs": 0.01, "swa_epoch_start": 1, "annealing_epochs": 1},
    "TQDMProgressBar": {"refresh_rate": 2},
    "ThroughputMonitor": {"batch_size_fn": "own_callback_functions.size", "window_size": 2},
    "Timer": {"duration": {"hours": 1}},
    "WeightAveraging": {"use_buffers": True},
}
NEED_RICH = ("RichModelSummary", "RichProgressBar")
BASES = ("BaseFinetuning", "BasePredictionWriter", "Callback", "Checkpoint", "ProgressBar")
"""Of which users derive their own."""


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("own_callback_functions.py").write_text(FUNCTIONS)
    return tmp_path


def given(name: str) -> dict[str, Any]:
    return {"class_path": name, "init_args": CALLBACKS[name]}


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


def test_every_callback_of_lightning_is_tried() -> None:
    names = {*CALLBACKS, *NEED_RICH, *BASES, "BackboneFinetuning"}
    assert names == set(pytorch_lightning.callbacks.__all__)


@pytest.mark.parametrize("name", CALLBACKS)
def test_every_callback_works_and_is_gone_on_with(name: str, flowers_root: Path) -> None:
    shows = name == "TQDMProgressBar"
    config = write_small(flowers_root, callbacks=[given(name)], max_epochs=2, enable_progress_bar=shows)
    assert main(["fit", "--config", str(config)]) == 0
    trusted = ["--trust_config"] if "own_callback_functions" in config.read_text() else []
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "3", *trusted]) == 0
    last = content(RUN / "checkpoints" / "last.ckpt")
    assert last["epoch"] == 2
    assert (RUN / "checkpoints" / "best.ckpt").is_file()
    assert main(["test", "--run", "runs/small", *trusted]) == 0
    assert main(["predict", "--run", "runs/small", "--output", "out", *trusted]) == 0
    strays = {path.name for path in Path().iterdir()} - {"__pycache__"}
    noted = {"noted.txt"} if name == "LambdaCallback" else set()
    assert strays == {"small.yaml", "own_callback_functions.py", "runs", "out", *noted}


@pytest.mark.parametrize("num_workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_callback_may_stand_alone(num_workers: int, flowers_root: Path) -> None:
    alone = write_small(flowers_root, num_workers, name="alone", callbacks=given("LearningRateMonitor"))
    assert main(["fit", "--config", str(alone)]) == 0
    plain = write_small(flowers_root, num_workers, name="plain")
    words = ["fit", "--config", str(plain), "--trainer.callbacks"]
    assert main([*words, "LearningRateMonitor"]) == 0
    assert main([*words, "LearningRateMonitor", "--trainer.callbacks.logging_interval", "epoch"]) == 0
    for run in ("runs/alone/version_0", "runs/plain/version_0", "runs/plain/version_1"):
        assert main(["fit", "--run", run, "--trainer.max_epochs", "2"]) == 0
        assert content(Path(run) / "checkpoints" / "last.ckpt")["epoch"] == 1


SAME_METRIC: list[dict[str, Any]] = [
    {"monitor": "val/accuracy", "mode": "max", "save_top_k": -1, "filename": "epoch_{epoch}"},
    {"save_last": True},
    {"save_top_k": -1},
    {"monitor": "val/accuracy", "mode": "max", "save_last": True, "save_top_k": 2},
]


@pytest.mark.parametrize("arguments", SAME_METRIC, ids=str)
def test_a_checkpoint_callback_of_ones_own_stands_beside_the_runs_own(
    arguments: dict[str, Any], flowers_root: Path
) -> None:
    own = {"class_path": "ModelCheckpoint", "init_args": arguments}
    config = write_small(flowers_root, callbacks=[own], max_epochs=2)
    assert main(["fit", "--config", str(config)]) == 0
    folder = RUN / "checkpoints"
    before = {path.name for path in folder.iterdir()}
    assert {"best.ckpt", "last.ckpt"} < before
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "3"]) == 0
    names = {path.name for path in folder.iterdir()}
    assert {"best.ckpt", "last.ckpt"} < names
    assert not [name for name in names if "-v" in name]
    if arguments.get("save_top_k") == -1:
        assert len(names) == 5
        assert before < names
    assert content(folder / "last.ckpt")["epoch"] == 2
    numbers = yaml.safe_load((RUN / "metrics.json").read_text())
    best = content(folder / "best.ckpt")
    (state,) = [state for key, state in best["callbacks"].items() if key.startswith("RunCheckpoint{'monitor': 'val")]
    assert numbers["best/val/accuracy"] == pytest.approx(float(state["best_model_score"]))


def test_a_run_of_before_keeps_its_best_checkpoint(flowers_root: Path) -> None:
    """Its checkpoints remember the best score by the name of Lightning's callback."""
    assert main(["fit", "--config", str(write_small(flowers_root, max_epochs=2))]) == 0
    for path in (RUN / "checkpoints").iterdir():
        held = content(path)
        held["callbacks"] = {
            key.replace("RunCheckpoint{", "ModelCheckpoint{"): state for key, state in held["callbacks"].items()
        }
        for key, state in held["callbacks"].items():
            if key.startswith("ModelCheckpoint{'monitor': 'val"):
                state["best_model_score"] = torch.tensor(2.0)
                state["best_k_models"] = {name: torch.tensor(2.0) for name in state["best_k_models"]}
        torch.save(held, path)
    before = content(RUN / "checkpoints" / "best.ckpt")["epoch"]
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "4"]) == 0
    # No accuracy is above 2.
    assert content(RUN / "checkpoints" / "best.ckpt")["epoch"] == before
    assert content(RUN / "checkpoints" / "last.ckpt")["epoch"] == 3


@pytest.mark.parametrize("is_global", [True, False])
@pytest.mark.parametrize("network", ["CNNClassifierTask", "UNetTask"])
def test_pruned_weights_are_zero_and_gone_on_with(
    is_global: bool, network: str, flowers_root: Path, pets_root: Path
) -> None:
    arguments = {"pruning_fn": "l1_unstructured", "amount": 0.5, "use_global_unstructured": is_global}
    arguments |= {"parameter_names": ["weight"], "use_lottery_ticket_hypothesis": False}
    pruning = {"class_path": "ModelPruning", "init_args": arguments}
    config = write_small(flowers_root, callbacks=pruning, max_epochs=2, limit_val_batches=1)
    held = yaml.safe_load(config.read_text())
    if network == "UNetTask":
        held["model"] = {"class_path": network, "init_args": {"width": 4, "depth": 2}}
        held["data"]["class_path"] = "OxfordPetsDataModule"
        held["data"]["init_args"]["root"] = str(pets_root)
    config.write_text(yaml.safe_dump(held))
    assert main(["fit", "--config", str(config)]) == 0
    weights = {
        name: values
        for name, values in content(RUN / "checkpoints" / "last.ckpt")["state_dict"].items()
        if name.startswith("model.") and name.endswith("weight") and values.dim() == 4
    }
    assert len(weights) > 2
    numbers = sum(values.numel() for values in weights.values())
    zeros = sum(int((values == 0).sum()) for values in weights.values())
    # Half of them, and half of what was left; norms and linear layers are pruned beside them.
    assert 0.6 < zeros / numbers < 0.95
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "3"]) == 0
    assert main(["test", "--run", "runs/small"]) == 0


@pytest.mark.parametrize("duration", ["00:01:00:00", {"hours": 1, "minutes": 1}])
def test_a_timer_is_written_so_that_it_is_read_again(duration: Any, flowers_root: Path) -> None:
    timer = {"class_path": "Timer", "init_args": {"duration": duration, "interval": "epoch"}}
    config = write_small(flowers_root, callbacks=timer, max_epochs=2)
    assert main(["fit", "--config", str(config)]) == 0
    saved = yaml.safe_load((RUN / "config.yaml").read_text())["trainer"]["callbacks"]
    assert saved["init_args"]["duration"] == duration
    assert content(RUN / "checkpoints" / "last.ckpt")["epoch"] == 1
    assert main(["fit", "--config", str(RUN / "config.yaml"), "--run_folder", "again"]) == 0
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "3"]) == 0
    assert content(RUN / "checkpoints" / "last.ckpt")["epoch"] == 2


def test_a_limit_of_time_is_written_so_that_it_is_read_again(flowers_root: Path) -> None:
    assert main(["fit", "--config", str(write_small(flowers_root, max_time={"minutes": 60}))]) == 0
    assert yaml.safe_load((RUN / "config.yaml").read_text())["trainer"]["max_time"] == {"minutes": 60}
    assert main(["fit", "--run", "runs/small", "--trainer.max_epochs", "2"]) == 0


def test_a_timer_that_has_run_out_leaves_nothing(flowers_root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    timer = {"class_path": "Timer", "init_args": {"duration": {"seconds": 0}}}
    assert main(["fit", "--config", str(write_small(flowers_root, callbacks=timer))]) == 0
    assert not Path("runs").exists()
    assert "version_0" not in capfd.readouterr().out


@pytest.mark.parametrize("name", NEED_RICH)
def test_a_callback_whose_package_is_missing_is_one_line(
    name: str, flowers_root: Path, mistake: Callable[[list[str]], str]
) -> None:
    if find_spec("rich"):
        pytest.skip("rich is installed")
    line = mistake(["fit", "--config", str(write_small(flowers_root)), "--trainer.callbacks", name])
    assert line.endswith(f"{name} needs a package that is not installed; pip install 'rich', or leave it out")


def test_callbacks_that_do_not_fit_are_one_line(flowers_root: Path, mistake: Callable[[list[str]], str]) -> None:
    def refused(*callbacks: dict[str, Any], **trainer: Any) -> str:
        return mistake(["fit", "--config", str(write_small(flowers_root, callbacks=[*callbacks], **trainer))])

    assert "CNNClassifierTask has none; " in refused({"class_path": "BackboneFinetuning"})
    line = refused({"class_path": "EarlyStopping", "init_args": {"monitor": "val/loss", "mode": "up"}})
    assert line.endswith("`mode` can be min, max, got up")
    assert "GradientAccumulationScheduler" in refused(given("GradientAccumulationScheduler"), accumulate_grad_batches=2)
    twice = {"class_path": "ModelCheckpoint", "init_args": {"monitor": "val/loss"}}
    assert "two of trainer.callbacks are alike" in refused(twice, twice)
    assert "logger" in refused({"class_path": "LearningRateMonitor"}, logger=False)
    assert "enable_checkpointing" in refused(twice, enable_checkpointing=False)
    rows = {"pruning_fn": "ln_structured", "use_global_unstructured": False, "pruning_dim": 0, "pruning_norm": 1}
    pruning = {"class_path": "ModelPruning", "init_args": rows}
    assert "give pruning_fn l1_unstructured" in refused(pruning)
