"""Verdicts about trainings, through the command line: run folders are written by the tests."""

import json
from collections.abc import Callable, Sequence
from math import nan
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_seg.__main__ import main
from lightning_seg.doctor.run import training
from lightning_seg.locks import holding

LOSS, ACCURACY = "train/loss", "val/accuracy"
Findings = dict[str, dict[str, Any]]
Examine = Callable[..., Findings]
LEARNS = [1.6, 1.1, 0.8, 0.6, 0.5, 0.44, 0.4, 0.38]
GOOD = [0.3, 0.5, 0.6, 0.66, 0.7, 0.72, 0.73, 0.735]
OF_TRAININGS = {kind.name for kind in training.KINDS}


@pytest.fixture
def folder(flowers_root: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "my run"
    folder.mkdir()
    data = {"root": str(flowers_root), "image_size": 32, "num_workers": 0, "cache_dir": str(tmp_path / "facts")}
    config = {
        "model": {"class_path": "CNNClassifierTask", "init_args": {"lr": 0.01}},
        "data": {"class_path": "FlowersDataModule", "init_args": data},
        "trainer": {"max_epochs": 8},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture
def examine(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Writes the curves as a training does, and returns the findings about trainings by name."""
    # The report of the dataset takes longer than all verdicts.
    monkeypatch.setattr("lightning_seg.commands.doctor.write_report", lambda *_: 0)

    def run(curves: dict[str, Sequence[float]], code: int = 0, **numbers: Any) -> Findings:
        if curves:
            rows = [
                f"{epoch},{epoch},{','.join(str(values[epoch]) for values in curves.values())}"
                for epoch in range(len(next(iter(curves.values()))))
            ]
            (folder / "metrics.csv").write_text("\n".join([f"epoch,step,{','.join(curves)}", *rows, ""]))
        best = {f"best/{ACCURACY}": max(curves[ACCURACY])} if ACCURACY in curves else {}
        (folder / "metrics.json").write_text(json.dumps({**best, **numbers}))
        words = [
            "doctor",
            "--run",
            str(folder),
            "--pictures",
            "0",
            "--speed",
            "false",
            "--output",
            str(tmp_path / "out"),
        ]
        assert main(words) == code
        found = json.loads((tmp_path / "out" / "findings.json").read_text())
        return {one["name"]: one for one in found if one["name"] in OF_TRAININGS}

    return run


def test_of_a_good_training_nothing_is_said(examine: Examine) -> None:
    assert examine({LOSS: LEARNS, "val/loss": LEARNS, ACCURACY: GOOD}) == {}


def test_a_loss_that_stays_and_a_score_that_stays_have_learned_nothing(examine: Examine) -> None:
    loss = [1.61, 1.60, 1.615, 1.605, 1.61, 1.612, 1.6, 1.611]
    found = examine({LOSS: loss, ACCURACY: [0.2, 0.21, 0.19, 0.2, 0.2, 0.21, 0.2, 0.2]}, code=1)
    assert list(found) == ["never-learned"]
    assert found["never-learned"]["severity"] == "error"
    assert "1.61 after epoch 1" in found["never-learned"]["detail"]
    assert "val/accuracy is 0.2 after epoch 1 and at best 0.21" in found["never-learned"]["detail"]


def test_who_was_good_from_the_beginning_need_not_learn(examine: Examine) -> None:
    assert "never-learned" not in examine({LOSS: [0.05] * 8, ACCURACY: [0.97] * 8})


def test_a_score_that_gets_better_has_learned_whatever_the_loss_does(examine: Examine) -> None:
    assert "never-learned" not in examine({LOSS: [1.6] * 8, ACCURACY: GOOD})


def test_a_loss_that_ends_where_it_began_has_diverged_and_a_tenth_of_the_rate_is_offered(examine: Examine) -> None:
    found = examine({LOSS: [1.6, 0.9, 0.7, 1.2, 1.7, 1.8, 1.75, 1.8], ACCURACY: GOOD}, code=1)
    assert list(found) == ["diverged"]
    assert "--model.lr 0.001," in found["diverged"]["remedy"]
    assert "was 0.7 after epoch 3" in found["diverged"]["detail"]


def test_a_loss_that_was_no_number_has_diverged(examine: Examine) -> None:
    found = examine({LOSS: [1.6, 0.9, nan, nan, nan, nan, nan, nan], "val/loss": [1.6, 1, 1, nan, 1, 1, 1, 1]}, code=1)
    assert list(found) == ["diverged"]
    told = found["diverged"]["detail"]
    assert told == "train/loss is no number since epoch 3, val/loss is no number since epoch 4"


def test_a_jump_is_named_with_its_epoch(examine: Examine) -> None:
    found = examine({LOSS: [1.6, 1.1, 0.8, 0.6, 1.5, 0.7, 0.5, 0.45], ACCURACY: GOOD})
    assert list(found) == ["loss-jumped"]
    assert found["loss-jumped"]["detail"] == "from 0.6 to 1.5 in epoch 5 of 8"
    assert found["loss-jumped"]["figures"] == {"epoch": 5, "before": 0.6, "after": 1.5}


def test_a_loss_that_goes_up_and_down_is_unsteady(examine: Examine) -> None:
    found = examine({LOSS: [2, 1.5, 1.2, 1.1, 1.3, 0.8, 1.3, 0.9], ACCURACY: GOOD})
    assert "unsteady-loss" in found


def test_a_flat_line_is_slow_and_three_times_the_rate_is_offered(examine: Examine) -> None:
    found = examine({LOSS: [1.61, 1.6, 1.59, 1.58, 1.57, 1.56, 1.55, 1.54], ACCURACY: GOOD})
    assert list(found) == ["slow-learning"]
    assert "--model.lr 0.03" in found["slow-learning"]["remedy"]


def test_overfitting_is_dated_and_measured(examine: Examine) -> None:
    val = [1.5, 1.2, 1.0, 0.95, 1.0, 1.2, 1.4, 1.6]
    found = examine({LOSS: LEARNS, "val/loss": val, ACCURACY: [0.3, 0.5, 0.6, 0.62, 0.6, 0.55, 0.5, 0.45]})
    assert "since epoch 4 of 8" in found["overfits"]["detail"]
    assert "--early_stopping" in found["overfits"]["remedy"]
    assert "keeps its level" not in found["overfits"]["detail"]
    assert found["overfits"]["figures"]["since"] == 4


def test_overfitting_of_the_loss_alone_is_said_to_be_of_the_confidence(examine: Examine) -> None:
    val = [1.5, 1.2, 1.0, 0.95, 1.0, 1.2, 1.4, 1.6]
    found = examine({LOSS: LEARNS, "val/loss": val, ACCURACY: GOOD})
    assert "val/accuracy keeps its level" in found["overfits"]["detail"]


def test_epochs_after_the_best_one_are_counted(examine: Examine) -> None:
    found = examine({LOSS: LEARNS, ACCURACY: [0.3, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]})
    assert list(found) == ["stopped-improving"]
    assert found["stopped-improving"]["count"] == 5
    assert "as good after epoch 3 of 8" in found["stopped-improving"]["detail"]
    assert "--early_stopping 3" in found["stopped-improving"]["remedy"]


def test_a_monitored_loss_is_better_where_it_is_lower(examine: Examine) -> None:
    curves = {LOSS: LEARNS, "val/loss": [1.5, 0.9, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]}
    found = examine(curves, **{"best/val/loss": 0.7})
    assert (
        "val/loss is as good after epoch 3 of 8 as ever but for noise; the best value is 0.7"
        in (found["stopped-improving"]["detail"])
    )


def test_of_a_score_that_still_rises_twice_the_epochs_are_offered(examine: Examine, folder: Path) -> None:
    found = examine({LOSS: LEARNS, ACCURACY: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]})
    assert list(found) == ["still-improving"]
    assert found["still-improving"]["remedy"] == f"fit --run '{folder}' --trainer.max_epochs 16"


def test_a_training_that_was_broken_off_is_told_from_one_that_was_stopped_early(examine: Examine) -> None:
    curves = {LOSS: LEARNS[:5], ACCURACY: GOOD[:5]}
    assert examine(curves)["broken-off"]["detail"] == "after 5 of 8 epochs"
    found = examine(curves, stopped_early=5)
    assert "stopped-early" in found
    assert "broken-off" not in found
    # It was stopped, continued, and broken off then.
    assert "broken-off" in examine(curves, stopped_early=3)


def test_without_a_table_the_record_knows_the_epochs(examine: Examine) -> None:
    assert list(examine({}, epochs=8)) == ["no-curves"]


def test_a_training_that_ends_by_steps_is_not_broken_off(examine: Examine, folder: Path) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, "trainer": {"max_epochs": 8, "max_steps": 50}}))
    assert examine({LOSS: LEARNS[:5], ACCURACY: GOOD[:5]}) == {}


def test_a_run_that_is_training_now_is_not_broken_off(examine: Examine, folder: Path) -> None:
    with holding(folder / ".fit.lock"):
        found = examine({LOSS: LEARNS[:5], ACCURACY: GOOD[:5]})
    assert list(found) == ["still-training"]
    assert found["still-training"]["detail"] == "5 epochs are done of 8"


def test_of_two_epochs_and_of_none_nothing_can_be_said(examine: Examine) -> None:
    assert list(examine({})) == ["broken-off", "no-curves"]
    found = examine({LOSS: [1.6, 1.5], ACCURACY: [0.2, 0.3]})
    assert found["no-curves"]["detail"] == "2 epochs with a train/loss"


def test_a_table_that_is_no_table_of_numbers_is_one_line(
    folder: Path, mistake: Callable[[list[str]], str], examine: Examine
) -> None:
    examine({LOSS: LEARNS})
    (folder / "metrics.csv").write_text("epoch,train/loss\n0,much\n")
    line = mistake(["doctor", "--run", str(folder), "--pictures", "0", "--speed", "false"])
    assert "metrics.csv: a cell is no number" in line


def test_the_page_on_the_terminal_names_the_run(
    examine: Examine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    examine({LOSS: LEARNS, ACCURACY: [0.3, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]})
    told = capsys.readouterr().out
    # The line may be longer than the page is wide.
    assert f"run {folder}: 8 epochs" in " ".join(told.split())
    assert "  stopped-improving (5): validation gets no better" in told
