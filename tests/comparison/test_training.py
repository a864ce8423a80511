"""What a run needs next, and what is said when it fails."""

import os
import signal
import sys
import time
from pathlib import Path
from threading import Timer

import pytest
import torch

from lightning_seg.comparison.plan import PlannedRun
from lightning_seg.comparison.training import RunError, _call, finish, next_step


def half_finished(folder: Path, epochs: int) -> Path:
    """What fit leaves behind after so many epochs."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").touch()
    torch.save({"epoch": epochs - 1}, folder / "checkpoints" / "last.ckpt")
    return folder


def test_nothing_is_there(tmp_path: Path) -> None:
    assert next_step(tmp_path / "new", 3) == "fit"


def test_no_epoch_had_ended(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    assert next_step(tmp_path, 3) == "fit"


def test_an_epoch_is_missing(tmp_path: Path) -> None:
    assert next_step(half_finished(tmp_path, 2), 3) == "continue"


@pytest.mark.parametrize("max_epochs", [None, -1])
def test_without_a_number_of_epochs_fit_has_to_say_that_it_ended(tmp_path: Path, max_epochs: int | None) -> None:
    assert next_step(half_finished(tmp_path, 3), max_epochs) == "continue"
    (tmp_path / ".fitted").touch()
    assert next_step(tmp_path, max_epochs) == "test"


def test_stopped_early_is_finished_too(tmp_path: Path) -> None:
    (half_finished(tmp_path, 2) / ".fitted").touch()
    assert next_step(tmp_path, 3) == "test"


def test_tested_is_what_has_numbers_and_pictures(tmp_path: Path) -> None:
    record = half_finished(tmp_path, 3) / "metrics.json"
    assert next_step(tmp_path, 3) == "test"
    (tmp_path / "test_pictures.csv").touch()
    record.write_text('{"val/miou": 0.5}')
    assert next_step(tmp_path, 3) == "test"
    record.write_text('{"val/miou": 0.5, "test/miou": 0.4}')
    assert next_step(tmp_path, 3) is None
    (tmp_path / "test_pictures.csv").unlink()
    assert next_step(tmp_path, 3) == "test"


def test_a_failed_run_is_one_line_and_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho begins $*\necho 'lightning-seg: error: no such root' >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    run = PlannedRun("none", 4, tmp_path / "run", tmp_path / "logs" / "none.log", ["--config", "a.yaml"])
    with pytest.raises(RunError) as caught:
        finish(run, 3)
    assert str(caught.value) == f"variant none, seed 4: fit failed: no such root (all it said: {run.log})"
    assert "begins -m lightning_seg fit --config a.yaml" in run.log.read_text()
    assert not run.folder.exists()


def test_a_request_to_end_ends_the_run_too(tmp_path: Path) -> None:
    """Otherwise it would train on in a folder that the next call takes for interrupted."""
    mark = tmp_path / "mark"
    script = f"import time, pathlib; time.sleep(3); pathlib.Path({str(mark)!r}).touch()"
    timer = Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM])
    timer.start()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), (tmp_path / "log").open("w") as log:
        _call([sys.executable, "-c", script], log)
    assert signal.getsignal(signal.SIGTERM) == before
    time.sleep(3)
    assert not mark.exists()
