"""What is compiled and what is not, counted where torch counts its graphs; with a backend that needs no compiler."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch.utils.data import DataLoader

from lightning_seg import CarvanaDataModule, UNetTask
from lightning_seg.__main__ import main
from lightning_seg.augmentation.collate import collate_segmentation
from lightning_seg.augmentation.mixing import Mixing
from lightning_seg.callbacks.compile import Compile, TrainingOnly

CONFIGS = Path(__file__).parents[2] / "configs"
EAGER = ["--trainer.callbacks.backend", "eager"]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """What was compiled before is forgotten, and afterwards what was compiled here."""
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def num_graphs() -> int:
    return counters["stats"]["unique_graphs"]


def cars(root: Path, folder: Path, *flags: str) -> list[str]:
    """24 pictures: two batches of 6 train, one of 6 and one of 2 validate."""
    return [
        *("fit", "--config", str(CONFIGS / "carvana.yaml"), "--config", str(CONFIGS / "overrides" / "compile.yaml")),
        *(*EAGER, "--data.root", str(root), "--data.image_size", "32", "--data.num_workers", "0"),
        *("--data.val_fraction", "0.34", "--data.batch_size", "6", "--model.width", "2", "--model.depth", "2"),
        *("--trainer.default_root_dir", str(folder), "--trainer.accelerator", "cpu", "--trainer.max_epochs", "1"),
        *("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false", *flags),
    ]


def names_in(checkpoint: Path) -> set[str]:
    return set(torch.load(checkpoint, weights_only=True)["state_dict"])


def test_training_is_one_graph_and_so_it_is_on_resume(carvana_root: Path, tmp_path: Path) -> None:
    assert main(cars(carvana_root, tmp_path)) == 0
    assert num_graphs() == 1
    run = tmp_path / "carvana" / "version_0"
    expected = set(UNetTask(1, 2, 2, dice_weight=1.0).state_dict())
    assert names_in(run / "checkpoints" / "last.ckpt") == names_in(run / "checkpoints" / "best.ckpt") == expected

    torch._dynamo.reset()
    counters.clear()
    assert main(["fit", "--run", str(run), "--trainer.max_epochs", "2"]) == 0
    assert num_graphs() == 1
    assert json.loads((run / "metrics.json").read_text())["epochs"] == 2

    counters.clear()
    assert main(["test", "--run", str(run)]) == 0
    assert num_graphs() == 0


def fit(root: Path, task: UNetTask, epochs: int = 2, data: Any = None, callbacks: Any = None, **options: Any) -> None:
    """12 pictures in batches of 5, 5 and 2, of a loader that keeps its last batch, or the given data."""
    if data is None:
        module = CarvanaDataModule(root, image_size=32, val_fraction=0.34, num_workers=0, augment=False)
        module.setup("fit")
        data = DataLoader(module.training_pictures(), batch_size=5, collate_fn=collate_segmentation)
    trainer = pl.Trainer(
        **{"accelerator": "cpu", "max_epochs": epochs, "logger": False, "enable_checkpointing": False, **options},
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Compile(backend="eager")] if callbacks is None else callbacks,
    )
    trainer.fit(task, data)


@pytest.mark.parametrize(
    "options", [{}, {"accumulate_grad_batches": 3}, {"overfit_batches": 2}, {"precision": "bf16-mixed"}], ids=str
)
def test_a_smaller_last_batch_and_other_ways_to_train_are_one_graph(
    carvana_root: Path, options: dict[str, Any]
) -> None:
    fit(carvana_root, UNetTask(1, 2, 2), **options)
    assert num_graphs() == 1


@pytest.mark.parametrize(
    "given",
    [
        {"mixing": Mixing("both"), "augment": True},
        # Fewer pictures than a batch.
        {"batch_size": 50},
    ],
    ids=str,
)
def test_mixed_batches_and_fewer_pictures_than_a_batch_are_one_graph(carvana_root: Path, given: dict[str, Any]) -> None:
    data = CarvanaDataModule(
        carvana_root, **{"image_size": 32, "val_fraction": 0.34, "num_workers": 0, "batch_size": 4, **given}
    )
    fit(carvana_root, UNetTask(1, 2, 2), data=data)
    assert num_graphs() == 1


@pytest.mark.parametrize(("epochs", "expected"), [(1, 1), (3, 2)])
def test_an_encoder_that_trains_later_is_a_second_graph(carvana_root: Path, epochs: int, expected: int) -> None:
    fit(carvana_root, UNetTask(1, 2, 2, freeze_encoder=True, unfreeze_epoch=1), epochs)
    assert num_graphs() == expected


def test_a_compiled_training_learns_what_another_one_learns(carvana_root: Path) -> None:
    tasks = []
    for callbacks in ([Compile(backend="eager")], []):
        pl.seed_everything(3)
        tasks.append(UNetTask(1, 2, 2))
        fit(carvana_root, tasks[-1], callbacks=callbacks)
    assert num_graphs() == 1
    compiled, other = (task.state_dict() for task in tasks)
    assert compiled.keys() == other.keys()
    assert all(torch.equal(compiled[name], one) for name, one in other.items())


class Calls(nn.Module):
    """Says by which way it was called."""

    def forward(self, images: torch.Tensor) -> str:
        return "as written"


def test_only_full_batches_of_one_size_are_compiled() -> None:
    network = Calls()
    call = TrainingOnly(network, lambda images: "compiled")
    batches = [(2, 3, 8, 8), (6, 3, 8, 8), (2, 3, 8, 8), (6, 3, 8, 16), (6, 3, 8, 8)]
    ways = [call(torch.zeros(shape)) for shape in batches]
    # The first one after a resume may be the rest of an epoch.
    assert ways == ["compiled", "compiled", "as written", "as written", "compiled"]
    with torch.no_grad():
        assert call(torch.zeros(6, 3, 8, 8)) == "as written"
    network.eval()
    assert call(torch.zeros(6, 3, 8, 8)) == "as written"


@pytest.mark.slow
def test_a_real_compiler_makes_one_graph_and_learns_nearly_the_same(carvana_root: Path) -> None:
    tasks = []
    for callbacks in ([Compile()], []):
        pl.seed_everything(3)
        tasks.append(UNetTask(1, 2, 1, optimizer="sgd", lr=0.01))
        fit(carvana_root, tasks[-1], callbacks=callbacks)
    assert num_graphs() == 1
    compiled, other = (task.state_dict() for task in tasks)
    assert compiled.keys() == other.keys()
    for name, one in other.items():
        torch.testing.assert_close(compiled[name], one, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_two_processes_compile_once_each(carvana_root: Path, tmp_path: Path) -> None:
    words = cars(
        carvana_root, tmp_path, "--trainer.devices", "2", "--data.batch_size", "3", "--trainer.max_epochs", "2"
    )
    environment = {**os.environ, "TORCH_LOGS": "recompiles"}
    command = [sys.executable, "-m", "lightning_seg", *words, "--config", str(CONFIGS / "overrides" / "ddp.yaml")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Recompiling" not in done.stderr
    names = names_in(tmp_path / "carvana" / "version_0" / "checkpoints" / "last.ckpt")
    assert names == set(UNetTask(1, 2, 2, dice_weight=1.0).state_dict())
