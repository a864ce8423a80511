"""Commands as processes of their own, for tests that end them from outside."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def write_config(path: Path, root: Path, max_epochs: int = 4, every: int = 3, **data: Any) -> Path:
    """Flowers with the small network, dropout and random draws; saved after every so many steps."""
    saving = {"filename": "step_{step}", "every_n_train_steps": every, "save_top_k": -1}
    options = {
        "image_size": 32,
        "batch_size": 2,
        "num_workers": 0,
        "augment": "flips_rotation",
        "test_fraction": 0.0,
        "val_fraction": 1 / 3,
    }
    config = {
        "model": {
            "class_path": "CNNClassifierTask",
            "init_args": {"dropout": 0.5, "optimizer": "adamw", "schedule": "one_cycle"},
        },
        "data": {"class_path": "FlowersDataModule", "init_args": {"root": str(root), **options, **data}},
        "trainer": {
            "accelerator": "cpu",
            "max_epochs": max_epochs,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [{"class_path": "ModelCheckpoint", "init_args": saving}],
        },
    }
    path.write_text(yaml.safe_dump(config))
    return path


def start(words: Sequence[str], folder: Path, **environment: str) -> "subprocess.Popen[str]":
    """``lightning-seg`` with these words, at work in ``folder``, as the leader of a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "lightning_seg", *words],
        cwd=folder,
        env={
            **ENVIRONMENT,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH")))),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(words: Sequence[str], folder: Path, **environment: str) -> str:
    """What a command says that has to succeed."""
    process = start(words, folder, **environment)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return said


def weights_in(run_folder: Path) -> dict[str, Tensor]:
    """Those of the end."""
    content = torch.load(run_folder / "checkpoints" / "last.ckpt", weights_only=True)
    weights: dict[str, Tensor] = content["state_dict"]
    return weights


def different(one: dict[str, Tensor], two: dict[str, Tensor]) -> list[str]:
    """Names of weights that are not equal bit by bit."""
    assert one.keys() == two.keys()
    return [name for name in one if not torch.equal(one[name], two[name])]
