"""Commands that are started at the same time do not share a run, and do not damage it."""

import csv
import json
import multiprocessing
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from lightning_seg import OxfordPetsDataModule
from lightning_seg.__main__ import main
from lightning_seg.runs import make_version
from tests.survival.whole_runs import check_folder, check_results, finish, go_on, start, write_config

SLOW_DATA = """
import time
from lightning_seg.datamodules.oxford_pets import OxfordPetsDataModule
prepare = OxfordPetsDataModule.prepare_data
OxfordPetsDataModule.prepare_data = lambda self: (time.sleep(2), prepare(self))
"""


def make_versions(folder: Path) -> list[int]:
    return [make_version(folder) for _ in range(25)]


@pytest.mark.slow
def test_a_number_is_given_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        numbers = [number for some in pool.map(make_versions, [tmp_path / "runs"] * 4) for number in some]
    assert sorted(numbers) == list(range(100))


@pytest.mark.slow
def test_two_fits_of_one_config_have_a_folder_each(pets_root: Path, tmp_path: Path) -> None:
    words = ["fit", "--config", str(write_config(tmp_path, pets_root, max_epochs=1))]
    words += ["--trainer.default_root_dir", str(tmp_path / "runs")]
    answers = [finish(process) for process in [start(words, SLOW_DATA) for _ in range(2)]]
    assert [code for code, _ in answers] == [0, 0], answers
    folders = sorted(said.splitlines()[-1] for _, said in answers)
    assert [Path(folder).name for folder in folders] == ["version_0", "version_1"]
    for folder in folders:
        check_results(Path(folder), 1)


@pytest.mark.parametrize("logger", ["CSVLogger", "TensorBoardLogger"])
def test_a_logger_of_the_user_has_its_folder_before_the_data_is_prepared(
    pets_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logger: str
) -> None:
    runs = tmp_path / "runs" / "lightning_logs"
    seen: list[str] = []
    monkeypatch.setattr(
        OxfordPetsDataModule, "prepare_data", lambda _: seen.extend(path.name for path in runs.iterdir())
    )
    words = ["fit", "--config", str(write_config(tmp_path, pets_root, max_epochs=1)), "--trainer.logger", logger]
    assert main([*words, "--trainer.logger.save_dir", str(tmp_path / "runs")]) == 0
    assert seen == ["version_0"]
    assert (runs / "version_0" / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
def test_a_run_is_trained_by_one_command_and_measured_by_others(
    pets_root: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    run = tmp_path / "run"
    config = write_config(tmp_path, pets_root, max_epochs=500)
    first = start(["fit", "--config", str(config), "--run_folder", str(run), "--data.num_workers", "2"])
    try:
        _wait_for(run / "checkpoints" / "last.ckpt", first)
        line = mistake(["fit", "--run", str(run)])
        assert re.search(rf"{run}: process {first.pid} on \S+ trains there; wait for it, or end it$", line)
        line = mistake(["fit", "--config", str(config), "--run_folder", str(run)])
        assert line.endswith(f"run_folder {run}: there is a run already; give another, or --run {run}")
        assert main(["test", "--run", str(run)]) == 0
        # One more epoch beside the columns of the test.
        before = _epochs(run)
        deadline = time.monotonic() + 60
        while _epochs(run) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        # Its workers live on for some seconds.
        os.kill(first.pid, signal.SIGKILL)
        first.communicate()
    check_folder(run)
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len([row for row in rows if row["test/miou"]]) == 1
    assert all(0 <= float(row["train/miou"]) <= 1 for row in rows if row["train/miou"])
    assert "test/miou" in json.loads((run / "metrics.json").read_text())
    done = _epochs(run)
    go_on(run, done + 2)
    check_results(run, done + 2)


def test_what_fails_before_its_first_step_leaves_nothing(
    pets_root: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    words = ["fit", "--config", str(write_config(tmp_path, pets_root))]
    assert "accelerator" in mistake([*words, "--trainer.accelerator", "cuda", "--trainer.devices", "99"])
    mistake([*words, "--model.optimizer", "sdg"])
    mistake([*words, "--model.optimizer", "sdg", "--run_folder", "one/two"])
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_neither_does_a_picture_that_cannot_be_read(
    pets_copy: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    for path in (pets_copy / "images").glob("*.jpg"):
        path.write_text("no picture")
    words = ["fit", "--config", str(write_config(tmp_path, pets_copy))]
    assert "cannot be read as a picture" in mistake(words)
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml", "pets_copy"}


def _epochs(run: Path) -> int:
    return int(json.loads((run / "metrics.json").read_text()).get("epochs", 0))


def _wait_for(path: Path, process: "subprocess.Popen[str]", seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not path.is_file():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
