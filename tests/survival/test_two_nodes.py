"""Two machines, played by two torchrun on this one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

CONFIGS = Path(__file__).parents[2] / "configs"
MODEL = {"class_path": "UNetTask", "init_args": {"num_classes": 3, "width": 4, "depth": 2, "class_weights": "auto"}}
pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find processes")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def start(words: Sequence[str]) -> list["subprocess.Popen[str]"]:
    """The same command on both machines."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"]
    torchrun += ["--master_addr", "127.0.0.1", "--master_port", str(free_port())]
    given = [*words, "--config", str(CONFIGS / "overrides" / "ddp.yaml"), "--trainer.num_nodes", "2"]
    given += ["--trainer.accelerator", "cpu", "--trainer.devices", "1", "--trainer.enable_progress_bar", "false"]
    return [
        subprocess.Popen(
            [*torchrun, "--node_rank", str(rank), "-m", "--", "lightning_seg", *given],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]


def finish(nodes: Sequence["subprocess.Popen[str]"]) -> list[str]:
    outputs = [node.communicate(timeout=280)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(outputs)[-4000:]
    return outputs


@pytest.fixture
def config(pets_root: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    given = {"root": str(pets_root), "image_size": 32, "batch_size": 2, "num_workers": 0}
    path.write_text(
        yaml.safe_dump({"model": MODEL, "data": {"class_path": "OxfordPetsDataModule", "init_args": given}})
    )
    return path


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
def test_two_nodes_write_one_run_and_measure_what_one_does(config: Path, tmp_path: Path) -> None:
    place = ["--trainer.default_root_dir", str(tmp_path)]
    outputs = finish(start(["fit", "--config", str(config), *place, "--trainer.max_epochs", "2"]))
    run = tmp_path / "tiny" / "version_0"
    assert [str(run) in output for output in outputs] == [True, False]
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["version_0"]
    names = [path.name for path in run.rglob("*") if path.is_file()]
    assert len([name for name in names if "tfevents" in name]) == 1
    assert sorted(name for name in names if name.endswith(".ckpt")) == ["best.ckpt", "last.ckpt"]
    measured = []
    for nodes in (1, 2):
        if nodes == 1:
            one = [sys.executable, "-m", "lightning_seg", "test", "--run", str(run), "--trainer.strategy", "auto"]
            one += ["--trainer.num_nodes", "1", "--trainer.accelerator", "cpu"]
            subprocess.run(one, check=True, timeout=280, capture_output=True)
        else:
            finish(start(["test", "--run", str(run)]))
        record = json.loads((run / "metrics.json").read_text())
        measured.append({name: value for name, value in record.items() if name.startswith("test/")})
    assert measured[1] == pytest.approx(measured[0], abs=1e-6)
    assert len(measured[0]) > 10


@pytest.mark.slow
@pytest.mark.parametrize(("victim", "how"), [(0, signal.SIGKILL), (1, signal.SIGKILL), (1, signal.SIGSTOP)])
def test_a_lost_node_ends_the_job_and_it_goes_on(
    config: Path, tmp_path: Path, victim: int, how: signal.Signals
) -> None:
    """Killed with its torchrun, or without power: then its connections stay open and it answers nothing."""
    place = ["--trainer.default_root_dir", str(tmp_path)]
    nodes = start(["fit", "--config", str(config), *place, "--trainer.max_epochs", "500"])
    run = tmp_path / "tiny" / "version_0"
    while not (run / "checkpoints" / "last.ckpt").is_file():
        assert nodes[0].poll() is None
        time.sleep(0.2)
    lost = [nodes[victim].pid, *children_of(nodes[victim].pid)]
    for pid in lost:
        os.kill(pid, how)
    began, survivor = time.monotonic(), nodes[1 - victim]
    output, _ = survivor.communicate(timeout=120)
    assert time.monotonic() - began < 75  # a minute, and what a machine under load needs
    assert survivor.returncode == 1
    for pid in lost:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    nodes[victim].communicate(timeout=60)
    line = re.search(r"lightning-seg: error: .*fit --run (\S+), .* goes on after (\d+) finished epochs", output)
    assert line is not None, output[-3000:]
    assert Path(line[1]) == run
    done = int(line[2])
    finish(start(["fit", "--run", str(run), "--trainer.max_epochs", str(done + 1)]))
    assert json.loads((run / "metrics.json").read_text())["epochs"] == done + 1
