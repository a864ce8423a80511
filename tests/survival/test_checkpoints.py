"""Checkpoints are whole whatever ends the process that writes them, and a run goes on from what there is."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lightning_seg.__main__ import main
from tests.survival.whole_runs import check_folder, check_results, finish, go_on, small_disk, start, write_config

KILLED_WRITING = """
import os, signal
from contextlib import contextmanager
import lightning_seg.checkpoint_io as checkpoint_io
whole, count = checkpoint_io.replacing, iter(range(1, 100))
@contextmanager
def replacing(path):
    with whole(path) as file:
        if next(count) == {number}:
            file.write(b"half of it")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        yield file
checkpoint_io.replacing = replacing
"""
"""While it writes its checkpoint of this number: best and last of the first epoch are 1 and 2."""
KILLED_BEFORE_THE_ROW = """
import os, signal
from pytorch_lightning.trainer.connectors.logger_connector import logger_connector
connector = logger_connector._LoggerConnector
log = connector.update_train_epoch_metrics
def update_train_epoch_metrics(self):
    if self.trainer.current_epoch == {epoch}:
        os.kill(os.getpid(), signal.SIGKILL)
    log(self)
connector.update_train_epoch_metrics = update_train_epoch_metrics
"""


def run_to_its_end(words: list[str], before: str, **environment: str) -> str:
    code, said = finish(start(words, before, **environment))
    assert code == -signal.SIGKILL, said
    return said


@pytest.mark.parametrize(("number", "left"), [(2, ["best"]), (4, ["best", "last"])])
def test_a_fit_killed_while_it_writes_a_checkpoint_goes_on(
    pets_root: Path, tmp_path: Path, number: int, left: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Number 2 is the first last.ckpt; 4 is of an epoch that is the best one, or beside the best of before."""
    run = tmp_path / "run"
    words = ["fit", "--config", str(write_config(tmp_path, pets_root)), "--run_folder", str(run)]
    with small_disk(tmp_path / "elsewhere", "40m") as other:
        run_to_its_end(words, KILLED_WRITING.format(number=number), TMPDIR=str(other))
    check_folder(run)
    assert sorted(path.stem for path in run.glob("checkpoints/*.ckpt")) == left
    assert len(list(run.glob("checkpoints/.*.partial"))) == 1
    go_on(run, 3)
    check_results(run, 3)
    assert ("last.ckpt is missing, so best.ckpt is taken, of epoch 1" in caplog.text) == (left == ["best"])


def test_an_epoch_whose_row_was_not_written_any_more_has_it_after_the_next_start(
    pets_root: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["fit", "--config", str(write_config(tmp_path, pets_root)), "--run_folder", str(run)]
    run_to_its_end(words, KILLED_BEFORE_THE_ROW.format(epoch=1))
    assert (run / "metrics.csv").read_text().count("\n1,") == 1
    go_on(run, 3)
    check_results(run, 3)


def test_also_the_last_epoch_has_its_row_though_nothing_is_trained_any_more(
    pets_root: Path, tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    run = tmp_path / "run"
    words = ["fit", "--config", str(write_config(tmp_path, pets_root, max_epochs=2)), "--run_folder", str(run)]
    run_to_its_end(words, KILLED_BEFORE_THE_ROW.format(epoch=1))
    assert "has trained 2 epochs of 2" in mistake(["fit", "--run", str(run)])
    check_results(run, 2)


def test_a_full_disk_keeps_the_previous_checkpoint_and_is_named(pets_root: Path, tmp_path: Path) -> None:
    """17 MB each: best, last and the new best are more than the disk has."""
    with small_disk(tmp_path / "disk", "40m") as disk:
        words = ["fit", "--config", str(write_config(tmp_path, pets_root, width=56)), "--run_folder", str(disk / "run")]
        words += ["--model.monitor", "train/loss"]
        code, said = finish(start(words))
        assert code == 2, said
        best = disk / "run" / "checkpoints" / "best.ckpt"
        line = said.strip().splitlines()[-1]
        assert line.startswith(f"lightning-seg: error: {best}: cannot be written (No space left on device: the disk of")
        assert f"the disk of {disk});" in line
        assert line.endswith("make room on the disk; fit --run RUN goes on with what was saved")
        assert sorted(path.name for path in best.parent.iterdir()) == ["best.ckpt", "last.ckpt"]
        assert torch.load(best, weights_only=True)["epoch"] == 0
        check_folder(disk / "run")
        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        go_on(disk / "run", 2)
        assert torch.load(best, weights_only=True)["epoch"] == 1


def test_what_cannot_be_read_is_told_and_the_other_one_is_not_taken_for_it(
    pets_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, mistake: Callable[[list[str]], str]
) -> None:
    run = tmp_path / "run"
    config = write_config(tmp_path, pets_root, max_epochs=2)
    assert main(["fit", "--config", str(config), "--run_folder", str(run)]) == 0
    best, last = run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt"
    content = best.read_bytes()
    best.write_bytes(content[: len(content) // 2])
    for subcommand in ("test", "predict"):
        line = mistake([subcommand, "--run", str(run)])
        assert line.endswith(f"{best}: cannot be read; for the weights of the last epoch give --ckpt_path {last}")
    # A fresh best takes the place of the one that is lost.
    go_on(run, 3)
    assert "best.ckpt cannot be read, so the best of the coming epochs takes its place" in caplog.text
    assert torch.load(best, weights_only=True)["epoch"] == 2
    last.write_bytes(b"")
    go_on(run, 4)
    assert "last.ckpt cannot be read, so best.ckpt is taken, of epoch 3" in caplog.text
    check_folder(run)
    for checkpoint in (best, last):
        checkpoint.write_bytes(b"no zip")
    assert mistake(["fit", "--run", str(run)]).endswith("neither last.ckpt nor best.ckpt can be read; train anew")


@pytest.mark.slow
def test_kills_at_random_moments_leave_whole_files(pets_root: Path, tmp_path: Path) -> None:
    """With the folder for temporary files on another disk; every run then goes on to its end, or begins anew."""
    config, draw = write_config(tmp_path, pets_root, width=32), random.Random(0)
    with small_disk(tmp_path / "elsewhere", "100m") as other:
        begun = time.monotonic()
        code, said = finish(start(["fit", "--config", str(config), "--run_folder", str(tmp_path / "whole")]))
        assert code == 0, said
        whole = time.monotonic() - begun
        for number in range(20):
            run = tmp_path / f"run_{number}"
            workers = str(2 * (number % 2))
            words = ["fit", "--config", str(config), "--run_folder", str(run), "--data.num_workers", workers]
            process = start(words, TMPDIR=str(other))
            time.sleep(draw.uniform(0.3, 1.0) * whole)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            check_folder(run)
            if list(run.glob("checkpoints/*.ckpt")):
                if torch.load(next(run.glob("checkpoints/last.ckpt"), run), weights_only=True)["epoch"] == 2:
                    assert main(["fit", "--run", str(run)]) == 2
                else:
                    go_on(run, 3)
                check_results(run, 3)
