"""Commands in processes of their own, and what a run folder has to hold after any end of them."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lightning_seg.__main__ import main


def write_config(folder: Path, root: Path, width: int = 4, **trainer: Any) -> Path:
    """A U-Net on pictures of 32 px, 5 steps an epoch; width 56 makes a checkpoint of 17 MB."""
    model = {"class_path": "UNetTask", "init_args": {"num_classes": 3, "width": width, "depth": 2}}
    arguments = {"root": str(root), "image_size": 32, "batch_size": 4, "num_workers": 0, "val_fraction": 0.15}
    path = folder / "small.yaml"
    given = {"max_epochs": 3, "accelerator": "cpu", "log_every_n_steps": 2, "enable_progress_bar": False, **trainer}
    data = {"class_path": "OxfordPetsDataModule", "init_args": arguments}
    path.write_text(yaml.safe_dump({"model": model, "data": data, "trainer": given}))
    return path


def start(words: list[str], before: str = "", **environment: str) -> "subprocess.Popen[str]":
    """A command in a process of its own, which first runs ``before``: Python that makes moments certain."""
    script = f"import sys\n{before}\nfrom lightning_seg.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
    return subprocess.Popen(
        [sys.executable, "-c", script, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: "subprocess.Popen[str]", seconds: float = 200) -> tuple[int, str]:
    said, _ = process.communicate(timeout=seconds)
    return process.returncode, said


def go_on(run: Path, epochs: int) -> None:
    assert main(["fit", "--run", str(run), "--trainer.max_epochs", str(epochs)]) == 0


def check_folder(run: Path) -> None:
    """Whatever is there is whole, except for what a killed process was writing under another name."""
    for checkpoint in run.glob("checkpoints/*.ckpt"):
        assert {"state_dict", "callbacks"} <= torch.load(checkpoint, weights_only=True).keys()
    for path in run.rglob("*.json"):
        json.loads(path.read_text())
    for path in run.rglob("*.csv"):
        content = path.read_bytes()
        assert content.endswith(b"\n") or not content
        rows = list(csv.reader(content.decode().splitlines()))
        assert len({len(row) for row in rows}) <= 1, path
    for path in run.glob("config.yaml"):
        assert {"model", "data", "trainer"} <= yaml.safe_load(path.read_text()).keys()


def check_results(run: Path, epochs: int) -> None:
    """Every epoch has its rows once, with all its numbers, and the best one is the best of them."""
    check_folder(run)
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["val/miou"]) for row in rows if row["val/miou"] and row["epoch"]]
    for name in ("val/miou", "train/loss", "train/miou"):
        assert [row["epoch"] for row in rows if row[name] and row["epoch"]] == [str(one) for one in range(epochs)], name
    steps = [int(row["step"]) for row in rows if row["epoch"] or not row.get("test/miou")]
    assert steps == sorted(steps)
    numbers = json.loads((run / "metrics.json").read_text())
    assert numbers["epochs"] == epochs
    assert numbers["best/val/miou"] == pytest.approx(max(scores))
    assert numbers["train/loss"] == pytest.approx(float([row["train/loss"] for row in rows if row["train/loss"]][-1]))
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert scores[best["epoch"]] == pytest.approx(max(scores))
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["epoch"] == epochs - 1
    assert not list(run.rglob("*.partial"))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own in memory; skips where nobody may mount one."""
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
