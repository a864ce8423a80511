"""Commands that are told to end: real processes and real signals, at moments that the task in ``waiting.py`` chooses.

The quick ones are part of every test run; ``-m slow`` runs the others, each command stopped at ten moments among them.
"""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts processes in /proc")
PATIENCE = 240
"""Seconds until a moment must have come, on a machine that others use, too."""
LIMIT = 10
"""Seconds that the README promises."""
SMALL = """
model:
  class_path: waiting.WaitingTask
data:
  class_path: waiting.WaitingDataModule
  init_args:
    root: flowers
    image_size: 32
    batch_size: 2
    num_workers: 0
    val_fraction: 0.25
    test_fraction: 0.25
trainer:
  accelerator: cpu
  max_epochs: 2
  enable_progress_bar: false
  enable_model_summary: false
"""
TWO = ["--trainer.devices", "2", "--data.batch_size", "1"]


class Ended(NamedTuple):
    """How a command has ended."""

    code: int
    seconds: float  # since the signal
    line: str  # what it said of it
    said: str


class Folder:
    """Where commands run, on sixteen small pictures of two classes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        generator = np.random.default_rng(0)
        for number in range(16):
            file = path / "flowers" / ("rose", "tulip")[number % 2] / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 255, (32, 32, 3), np.uint8)).save(file)
        (path / "small.yaml").write_text(SMALL)

    def environment(self, moment: str) -> dict[str, str]:
        places = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        own = {"PYTHONPATH": os.pathsep.join(filter(None, places)), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        return {**os.environ, **own, "WAIT_AT": moment, "WAIT_MARK": str(self.path / "mark")}

    def start(self, words: Sequence[str], moment: str = "") -> "subprocess.Popen[bytes]":
        (self.path / "mark").unlink(missing_ok=True)
        with (self.path / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "lightning_seg", *words],
                cwd=self.path,
                env=self.environment(moment),
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, *words: str) -> str:
        with self.start(words) as process:
            code = process.wait(PATIENCE)
        said = (self.path / "said").read_text()
        assert code == 0, said
        return said

    def stop(
        self,
        words: Sequence[str],
        number: int,
        moment: str = "",
        come: Callable[[], bool] | None = None,
        send: Callable[[int, int], None] = os.kill,
    ) -> Ended:
        """Send a signal once the moment has come, and see that nothing is left running."""
        come = come or (self.path / "mark").is_file
        with self.start(words, moment) as process:
            deadline = time.monotonic() + PATIENCE
            while not come():
                assert process.poll() is None, (self.path / "said").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            start = time.monotonic()
            send(process.pid, number)
            try:
                code = process.wait(3 * LIMIT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
            seconds = time.monotonic() - start
            assert no_process_is_left(process.pid)
        said = (self.path / "said").read_text()
        lines = [line for line in said.splitlines() if line.startswith("lightning-seg: ")]
        assert len(lines) <= 1, said
        assert "Traceback" not in said
        assert "Error" not in said
        return Ended(code, seconds, "".join(lines), said)

    def epochs(self, folder: str) -> int:
        state = torch.load(self.path / folder / "checkpoints" / "last.ckpt", weights_only=True)
        return int(state["epoch"]) + 1


def no_process_is_left(session: int) -> bool:
    deadline = time.monotonic() + 3
    while in_session(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def in_session(session: int) -> list[int]:
    """The running processes that were started by a process and by those that it has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, owner, *_ = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(owner) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def to_all(process: int, number: int) -> None:
    """As a terminal does."""
    os.killpg(process, number)


def to_other(process: int, number: int) -> None:
    """To the second process of a training alone."""
    (other,) = (one for one in in_session(process) if one != process)
    os.kill(other, number)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """With a run of two epochs."""
    folder = Folder(tmp_path_factory.mktemp("trained"))
    folder.run("fit", "--config", "small.yaml")
    return folder


FIT = ["fit", "--config", "small.yaml"]
SAVED = "1 of 2 epochs are done and saved; lightning-seg fit --run runs/small/version_0 goes on"
GOES_ON = f"lightning-seg: stopped by {{}}: {SAVED}"


def test_fit_with_workers_is_ended_and_says_how_to_go_on(folder: Folder) -> None:
    ended = folder.stop([*FIT, "--data.num_workers", "2"], signal.SIGTERM, "epoch 1")
    assert (ended.code, ended.line) == (143, GOES_ON.format("SIGTERM"))
    assert ended.seconds < LIMIT
    command = re.search(r"lightning-seg (fit --run \S+) goes on", ended.line)
    assert command
    folder.run(*command[1].split())
    assert folder.epochs("runs/small/version_0") == 2


def test_two_processes_end_together(folder: Folder) -> None:
    ended = folder.stop([*FIT, *TWO], signal.SIGTERM, "epoch 1")
    assert (ended.code, ended.line) == (143, GOES_ON.format("SIGTERM"))
    assert ended.seconds < LIMIT


def test_predict_ends_and_says_which_pictures_are_done(folder: Folder) -> None:
    words = ["predict", "--config", "small.yaml", "--images", "flowers/**/*", "--output", "out"]
    ended = folder.stop(words, signal.SIGTERM, "predict")
    assert ended.code == 143
    kept = "4 pictures are done, files and rows of out/predictions.csv; the same command does all of them again"
    assert ended.line == f"lightning-seg: stopped by SIGTERM: {kept}"
    with (folder.path / "out" / "predictions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert ended.seconds < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("prepare", "nothing is saved to go on from; the same command begins anew"),
        ("setup", "nothing is saved in runs/small/version_0 to go on from; the same command begins anew"),
        ("epoch 0", "nothing is saved in runs/small/version_0 to go on from; the same command begins anew"),
        ("validation", "nothing is saved in runs/small/version_0 to go on from; the same command begins anew"),
        ("epoch 1", SAVED),
        ("epoch 1 native", SAVED),
    ],
)
@pytest.mark.parametrize("send", [os.kill, to_all])
def test_fit_can_be_stopped_at_any_moment(
    folder: Folder, workers: int, name: str, moment: str, kept: str, send: Callable[[int, int], None]
) -> None:
    number = signal.Signals[name]
    ended = folder.stop([*FIT, "--data.num_workers", str(workers)], number, moment, send=send)
    assert (ended.code, ended.line) == (128 + number, f"lightning-seg: stopped by {name}: {kept}")
    assert ended.seconds < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("send", [os.kill, to_all, to_other])
@pytest.mark.parametrize("moment", ["epoch 0", "epoch 1", "validation", "epoch 1 native"])
def test_of_two_processes_none_goes_on_alone(
    folder: Folder, name: str, send: Callable[[int, int], None], moment: str
) -> None:
    ended = folder.stop([*FIT, *TWO], signal.Signals[name], moment, send=send)
    assert ended.code == 128 + signal.Signals[name]
    if moment.startswith("epoch 1"):
        assert ended.line == GOES_ON.format(name)
    assert ended.line.startswith(f"lightning-seg: stopped by {name}: ")
    assert ended.seconds < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(("command", "moment"), [("test", "test"), ("validate", "validation")])
def test_what_was_not_measured_is_no_result(trained: Folder, name: str, command: str, moment: str) -> None:
    record = trained.path / "runs" / "small" / "version_0" / "metrics.json"
    before = record.read_text()
    ended = trained.stop([command, "--run", "runs/small"], signal.Signals[name], moment)
    line = f"lightning-seg: stopped by {name}: nothing is measured; the same command begins anew"
    assert (ended.code, ended.line) == (128 + signal.Signals[name], line)
    assert record.read_text() == before


COMPARE = ["compare", "small.yaml", "--variant", "one", "--variant", "other:other.yaml", "--seeds", "1"]


@pytest.mark.slow
def test_compare_does_not_take_a_stopped_training_for_a_result(folder: Folder) -> None:
    (folder.path / "other.yaml").write_text("model:\n  init_args:\n    lr: 0.01\n")
    ended = folder.stop(COMPARE, signal.SIGTERM, "epoch 1")
    line = "lightning-seg: stopped by SIGTERM: 0 of 2 runs are finished; the same command goes on"
    assert (ended.code, ended.line) == (143, line)
    assert ended.seconds < LIMIT
    # Now a single fit is stopped: its variant is no result, and the other one goes on.
    with folder.start(COMPARE, "epoch 1") as process:
        deadline = time.monotonic() + PATIENCE
        while not (folder.path / "mark").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        (fit,) = (one for one in in_session(process.pid) if one != process.pid)
        os.kill(fit, signal.SIGTERM)
        (folder.path / "mark").unlink()
        while not (folder.path / "mark").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        said = (folder.path / "said").read_text()
        assert "variant one, seed 0: fit failed: it was ended by SIGTERM; the same command goes on" in said
        process.terminate()
        assert process.wait(3 * LIMIT) == 143
    assert folder.epochs("comparison/runs/one/seed_0") == 1
    # The mark of earlier versions, which wrote it for exit code 0.
    (folder.path / "comparison" / "runs" / "one" / "seed_0" / ".fitted").touch()
    assert "better" in folder.run(*COMPARE) or (folder.path / "comparison" / "comparison.json").is_file()
    assert folder.epochs("comparison/runs/one/seed_0") == folder.epochs("comparison/runs/other/seed_0") == 2


COMMANDS: dict[str, list[str]] = {
    "fit": FIT,
    "validate": ["validate", "--run", "runs/small"],
    "test": ["test", "--run", "runs/small"],
    "predict": ["predict", "--run", "runs/small", "--images", "flowers/**/*", "--output", "predicted"],
    "preview": ["preview", "--config", "small.yaml", "--data.num_workers", "2"],
    "synthesize": ["synthesize", "flowers", "written", "--num_per_class", "30"],
    "compare": COMPARE,
    "benchmark": ["benchmark", "detector", "--backbone", "mobilenet_v2", "--size", "256", "--rounds", "1"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("command", COMMANDS)
def test_ten_moments_of_a_command(trained: Folder, command: str, name: str) -> None:
    """Of a whole run, the imports at its beginning among them."""
    words, number = COMMANDS[command], signal.Signals[name]
    (trained.path / "other.yaml").write_text("model:\n  init_args:\n    lr: 0.01\n")
    start = time.monotonic()
    trained.run(*words, *fresh(command, 0, trained.path))
    whole = time.monotonic() - start
    for moment in range(1, 11):
        due = time.monotonic() + whole * (moment - 0.5) / 10

        def is_due(due: float = due) -> bool:
            return time.monotonic() >= due

        try:
            ended = trained.stop([*words, *fresh(command, moment, trained.path)], number, come=is_due)
        except AssertionError:
            # It was quicker this time.
            assert moment > 6, (trained.path / "said").read_text()
            continue
        if ended.code == -number:
            # Its work was done, and Python has taken its handlers back by then.
            assert moment > 6, ended
            continue
        assert ended.code == 128 + number, (moment, ended)
        assert ended.line.startswith(f"lightning-seg: stopped by {name}: "), (moment, ended)
        assert ended.seconds < LIMIT, (moment, ended)


def fresh(command: str, moment: int, path: Path) -> list[str]:
    """Flags that let a command do all of its work again."""
    words: dict[str, Any] = {
        "compare": ["--output", f"comparison_{moment}"],
        "synthesize": ["--seed", str(moment)],
        "preview": ["--output", str(path / f"preview_{moment}.png")],
    }
    return list(words.get(command, []))
