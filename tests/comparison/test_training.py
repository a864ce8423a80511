"""What a run needs next, and what is said when it fails."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seg.comparison import training
from lightning_seg.comparison.plan import PlannedRun
from lightning_seg.comparison.results import RunError
from lightning_seg.comparison.training import Asked, finish, next_step
from lightning_seg.errors import DataError

THREE = Asked(3, None)


def half_finished(folder: Path, epochs: int) -> Path:
    """What fit leaves behind after so many epochs."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").touch()
    write_checkpoint(folder, epochs)
    return folder


def write_checkpoint(folder: Path, epochs: int, **state: Any) -> None:
    torch.save({"epoch": epochs - 1, "global_step": 10 * epochs, **state}, folder / "checkpoints" / "last.ckpt")


def test_nothing_is_there(tmp_path: Path) -> None:
    assert next_step(tmp_path / "new", THREE) == "fit"


def test_no_epoch_had_ended(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    assert next_step(tmp_path, THREE) == "fit"


def test_an_epoch_is_missing(tmp_path: Path) -> None:
    assert next_step(half_finished(tmp_path, 2), THREE) == "continue"


def test_the_mark_of_an_exit_code_is_not_believed(tmp_path: Path) -> None:
    """Earlier versions wrote it, also where a signal had ended the training with exit code 0."""
    (half_finished(tmp_path, 1) / ".fitted").touch()
    assert next_step(tmp_path, Asked(6, None)) == "continue"


@pytest.mark.parametrize(
    ("trainer", "asked"),
    [
        ({"max_epochs": 6, "max_steps": -1}, (6, None)),
        ({"max_epochs": None, "max_steps": 20}, (None, 20)),
        ({"max_epochs": -1, "max_steps": -1}, (None, None)),
        # Lightning's own limit where there is none.
        ({"max_epochs": None, "max_steps": -1}, (1000, None)),
        ({"max_epochs": None, "max_steps": -1, "max_time": "00:01:00:00"}, (None, None)),
    ],
)
def test_what_was_asked_of_the_trainer(trainer: dict[str, Any], asked: tuple[int | None, int | None]) -> None:
    assert Asked.of(trainer) == asked


@pytest.mark.parametrize(("steps", "expected"), [(30, "continue"), (20, "test"), (10, "test")])
def test_steps_count_where_they_were_asked_for(tmp_path: Path, steps: int, expected: str) -> None:
    assert next_step(half_finished(tmp_path, 2), Asked(None, steps)) == expected


@pytest.mark.parametrize("asked", [THREE, Asked(None, None), Asked(None, 30)])
def test_a_recorded_early_stop_is_an_end(tmp_path: Path, asked: Asked) -> None:
    record = half_finished(tmp_path, 2) / "metrics.json"
    assert next_step(tmp_path, asked) == "continue"
    record.write_text('{"stopped_early": 2}')
    assert next_step(tmp_path, asked) == "test"
    # One of an earlier start, after which it was trained on.
    record.write_text('{"stopped_early": 1}')
    assert next_step(tmp_path, asked) == "continue"


@pytest.mark.parametrize("kind", ["EarlyStopping", "OwnPatience"])
@pytest.mark.parametrize(("waited", "expected"), [(0, "continue"), (3, "continue"), (4, "test")])
def test_patience_that_a_checkpoint_has_lost_is_an_end(tmp_path: Path, waited: int, expected: str, kind: str) -> None:
    stopping = {"wait_count": waited, "stopped_epoch": 0, "best_score": torch.tensor(1.0), "patience": 4}
    write_checkpoint(half_finished(tmp_path, 2), 2, callbacks={f"{kind}{{'monitor': 'val/miou'}}": stopping})
    assert next_step(tmp_path, THREE) == expected


def test_a_fit_that_ends_with_exit_code_0_and_one_epoch_of_three_is_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = PlannedRun("none", 4, tmp_path / "run", tmp_path / "none.log", [], [])

    def end_too_early(words: Sequence[str], output: Any) -> int:
        half_finished(run.folder, 1)
        return 0

    monkeypatch.setattr(training, "call", end_too_early)
    with pytest.raises(RunError, match=r"none, seed 4: fit ended before 3 epochs, and no early stop is recorded"):
        finish(run, THREE)
    assert next_step(run.folder, THREE) == "continue"


def test_a_test_that_ends_with_exit_code_0_and_leaves_nothing_is_no_result(
    tested: PlannedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tested.folder / ".tested").unlink()
    monkeypatch.setattr(training, "call", lambda words, output: 0)
    with pytest.raises(RunError, match="test ended without results"):
        finish(tested, THREE)
    assert next_step(tested.folder, THREE) == "test"


def leave_results(folder: Path) -> None:
    """As a test does."""
    (folder / "test_pictures.csv").write_text("path,score\na.jpg,1\n")
    record = {"val/miou": 0.5, "best/val/miou": 0.5, "test/miou": 0.4}
    (folder / "metrics.json").write_text(json.dumps(record))


@pytest.fixture
def tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlannedRun:
    """A run that the comparison has fitted and tested."""
    run = PlannedRun(
        "none", 4, half_finished(tmp_path / "run", 3), tmp_path / "logs" / "none.log", [], ["--data.num_workers", "0"]
    )

    def test(words: Sequence[str], output: Any) -> int:
        assert words[3:] == ["test", "--run", str(run.folder), "--data.num_workers", "0"]
        leave_results(run.folder)
        return 0

    monkeypatch.setattr(training, "call", test)
    assert next_step(run.folder, THREE) == "test"
    finish(run, THREE)
    assert next_step(run.folder, THREE) is None
    return run


@pytest.mark.parametrize("own", [False, True])
def test_a_run_is_a_stranger_s_unless_its_configs_have_own_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    run = PlannedRun("none", 4, half_finished(tmp_path / "run", 2), tmp_path / "none.log", [], [], own)
    said: list[Sequence[str]] = []

    def keep(words: Sequence[str], output: Any) -> int:
        said.append(words[3:])
        write_checkpoint(run.folder, 3)
        leave_results(run.folder)
        return 0

    monkeypatch.setattr(training, "call", keep)
    finish(run, THREE)
    flags = ["--run", str(run.folder), *(["--trust_config"] if own else [])]
    assert said == [["fit", *flags], ["test", *flags]]


@pytest.mark.parametrize(("name", "value"), [("test/miou", 0.45), ("best/val/miou", 0.6)])
def test_numbers_of_another_test_are_made_again(tested: PlannedRun, name: str, value: float) -> None:
    record = tested.folder / "metrics.json"
    ours = json.loads(record.read_text())
    record.write_text(json.dumps({**ours, name: value}))
    assert next_step(tested.folder, THREE) == "test"
    finish(tested, THREE)
    assert json.loads(record.read_text()) == ours
    assert next_step(tested.folder, THREE) is None


def test_what_a_validation_by_hand_leaves_does_not_matter(tested: PlannedRun) -> None:
    record = tested.folder / "metrics.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "val/miou": 0.1, "val/loss": 1.0}))
    assert next_step(tested.folder, THREE) is None


def test_a_table_of_another_test_is_made_again(tested: PlannedRun) -> None:
    table = tested.folder / "test_pictures.csv"
    table.write_text("path,score\na.jpg,0\n")
    assert next_step(tested.folder, THREE) == "test"
    table.unlink()
    assert next_step(tested.folder, THREE) == "test"


def test_numbers_that_were_cut_off_are_one_line(tested: PlannedRun) -> None:
    (tested.folder / "metrics.json").write_text('{"val/mi')
    with pytest.raises(
        DataError, match=rf"metrics.json: no valid JSON .*; delete {tested.folder}, and the same command"
    ):
        next_step(tested.folder, THREE)


def test_a_failed_run_is_one_line_and_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho begins $*\necho 'lightning-seg: error: no such root' >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    run = PlannedRun("none", 4, tmp_path / "run", tmp_path / "logs" / "none.log", ["--config", "a.yaml"], [])
    with pytest.raises(RunError) as caught:
        finish(run, THREE)
    assert str(caught.value) == f"variant none, seed 4: fit failed: no such root (all it said: {run.log})"
    assert "begins -m lightning_seg fit --config a.yaml" in run.log.read_text()
    assert not run.folder.exists()


def test_a_run_that_was_killed_says_so_and_not_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho epoch 3 was fine\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    run = PlannedRun("none", 4, tmp_path / "run", tmp_path / "none.log", [], [])
    with pytest.raises(
        RunError, match=r"none, seed 4: fit failed: it was killed \(SIGKILL\), as the system does where"
    ):
        finish(run, THREE)


def test_what_an_earlier_call_said_is_not_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 4\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    run = PlannedRun("none", 4, tmp_path / "run", tmp_path / "none.log", [], [])
    run.log.write_text("yesterday's last line\n")
    with pytest.raises(RunError, match="fit failed: exit code 4 "):
        finish(run, THREE)
