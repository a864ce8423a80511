"""A training that is killed at any moment and gone on with ends like one that was never interrupted."""

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_seg.runs import epochs_done
from tests.survival.killing import different, run, start, weights_in, write_config

EPOCHS = 4
RUN = Path("runs") / "small" / "version_0"


@pytest.fixture(scope="module", params=[0, 2], ids=["no workers", "2 workers"])
def config(request: pytest.FixtureRequest, flowers_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kill")
    return write_config(folder / "small.yaml", flowers_root, EPOCHS, num_workers=request.param)


@pytest.fixture(scope="module")
def whole(config: Path) -> dict[str, Tensor]:
    """The weights of a training that was never interrupted."""
    folder = config.parent / "whole"
    folder.mkdir()
    run(["fit", "--config", str(config)], folder)
    return weights_in(folder / RUN)


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A folder for temporary files on another disk than the run."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == Path(tempfile.gettempdir()).stat().st_dev:
        pytest.skip("there is no second disk here")
    folder = Path(tempfile.mkdtemp(dir=memory))
    yield folder
    shutil.rmtree(folder)


def saved(folder: Path) -> list[Path]:
    return list((folder / RUN / "checkpoints").glob("*.ckpt"))


def kill_once(config: Path, folder: Path, files: int, seconds: float, **environment: str) -> None:
    """Kill a training some time after it has saved so many files, and go on with it, or begin anew."""
    folder.mkdir()
    process = start(["fit", "--config", str(config)], folder, **environment)
    while len(saved(folder)) < files and process.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if not saved(folder):
        shutil.rmtree(folder / "runs", ignore_errors=True)
        run(["fit", "--config", str(config)], folder, **environment)
    elif epochs_done(newest(folder)) < EPOCHS:
        run(["fit", "--run", str(newest(folder))], folder, **environment)


def newest(folder: Path) -> Path:
    """The checkpoint that comes last in the training: of the end of an epoch, or of its middle."""
    return max(saved(folder), key=lambda path: torch.load(path, weights_only=True)["global_step"])


def test_a_killed_training_ends_like_one_that_was_not(config: Path, whole: dict[str, Tensor]) -> None:
    folder = config.parent / "once"
    kill_once(config, folder, 5, 0.0)
    assert different(weights_in(folder / RUN), whole) == []


@pytest.mark.slow
def test_so_does_one_that_is_killed_at_ten_moments(config: Path, whole: dict[str, Tensor]) -> None:
    generator = random.Random(0)
    for number in range(10):
        folder = config.parent / f"kill_{number}"
        kill_once(config, folder, generator.randrange(14), generator.uniform(0, 0.3))
        assert different(weights_in(folder / RUN), whole) == []


@pytest.mark.slow
def test_also_where_temporary_files_lie_on_another_disk(
    config: Path, whole: dict[str, Tensor], other_disk: Path
) -> None:
    generator = random.Random(1)
    for number in range(10):
        folder = config.parent / f"other_{number}"
        kill_once(config, folder, generator.randrange(14), generator.uniform(0, 0.3), TMPDIR=str(other_disk))
        assert different(weights_in(folder / RUN), whole) == []
