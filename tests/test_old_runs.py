"""Runs that earlier code has written are measured, applied and continued as that code did it.

``fixtures/old_runs/README.md`` tells how they were made.
"""

import csv
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seg import CNNClassifierTask, Predictor, SlidingDetectorTask, UNetTask
from lightning_seg.__main__ import main
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.image_mask_folder import write_image_mask_folder
from lightning_seg.synthetic.scenes import write_scenes
from lightning_seg.tasks.supervised import SupervisedTask

RUNS = Path(__file__).parent / "fixtures" / "old_runs"
TASKS: dict[str, type[SupervisedTask]] = {
    "one_logit": UNetTask,
    "classes": UNetTask,
    "classification": CNNClassifierTask,
    "detector": SlidingDetectorTask,
}
KNOBS = {"detector": ["--threshold", "0.05", "--merge_overlap", "0.35"]}
"""With which a kind of run was applied to pictures; the second was the default then."""
SPOKEN = ("whole", "windows")
"""Cells of rounded shares in words."""
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not RUNS.is_dir(), reason="a source distribution has no runs of earlier code"),
]
every_kind = pytest.mark.parametrize("kind", TASKS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the runs were made, with the same pictures."""
    folder = tmp_path_factory.mktemp("old_runs")
    write_carvana(folder / "data/carvana", num_cars=6, num_views=4, size=(32, 48))
    write_image_mask_folder(folder / "data/own", num_pictures=24)
    write_flowers(folder / "data/flowers", num_per_class=6)
    write_scenes(folder / "data/scenes", num_scenes=2, num_per_class=3)
    return folder


@pytest.fixture
def run(kind: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be changed."""
    monkeypatch.chdir(place)
    return Path(shutil.copytree(RUNS / kind, tmp_path / kind))


def record_of(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def of_split(record: dict[str, Any], *splits: str) -> dict[str, float]:
    return {name: value for name, value in record.items() if name.partition("/")[0] in splits}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def measure(run: Path, split: str, arguments: list[str]) -> dict[str, float]:
    """What ``arguments`` measure, without the numbers that the run had."""
    path = run / "metrics.json"
    before = record_of(path)
    path.write_text(json.dumps({name: before[name] for name in before if name not in of_split(before, split)}))
    assert main([*arguments, "--run", str(run)]) == 0
    return of_split(record_of(path), split)


def assert_same(measured: dict[str, float], known: dict[str, float]) -> None:
    """What the earlier code measured; more may be measured now."""
    assert known
    assert {name: measured.get(name, math.nan) for name in known} == pytest.approx(known, abs=1e-4, rel=1e-4)


def assert_same_row(row: dict[str, str], known: dict[str, str]) -> None:
    for name, cell in known.items():
        if name in SPOKEN:
            assert row[name]
        elif cell.replace(".", "", 1).isdecimal():
            assert float(row[name]) == pytest.approx(float(cell), abs=1e-4, rel=1e-4), name
        else:
            assert row[name] == cell, name


def assert_same_rows(path: Path, of_old: Path) -> None:
    for row, known in zip(rows_of(path), rows_of(of_old), strict=True):
        assert_same_row(row, known)


@every_kind
def test_validates_as_before(run: Path, kind: str) -> None:
    assert_same(measure(run, "val", ["validate"]), of_split(record_of(RUNS / kind / "metrics.json"), "val"))


@every_kind
def test_tests_as_before(run: Path, kind: str) -> None:
    (run / "test_pictures.csv").unlink()
    assert_same(measure(run, "test", ["test"]), of_split(record_of(RUNS / kind / "metrics.json"), "test"))
    assert_same_rows(run / "test_pictures.csv", RUNS / kind / "test_pictures.csv")


@pytest.mark.parametrize("kind", ["detector"])
def test_boxes_are_measured_as_before(run: Path, kind: str) -> None:
    data = ["--data", "CocoObjectsDataModule", "--data.root", "data/scenes"]
    arguments = ["test", *data, "--original_size", "true", *KNOBS[kind]]
    known = of_split(record_of(RUNS / kind / "metrics.json"), "test_full")
    assert_same(measure(run, "test_full", arguments), known)


@every_kind
def test_predicts_what_was_predicted(run: Path, kind: str) -> None:
    shutil.rmtree(run / "predictions")
    assert main(["predict", "--run", str(run), *KNOBS.get(kind, [])]) == 0
    assert_same_rows(run / "predictions" / "predictions.csv", RUNS / kind / "predictions" / "predictions.csv")


@every_kind
def test_predicts_a_given_picture_as_before(run: Path, kind: str, tmp_path: Path) -> None:
    known = rows_of(RUNS / kind / "predictions" / "predictions.csv")[-1]
    flags = ["--images", known["picture"], "--output", str(tmp_path / "out"), *KNOBS.get(kind, [])]
    assert main(["predict", "--run", str(run), *flags]) == 0
    (row,) = rows_of(tmp_path / "out" / "predictions.csv")
    # Files lie by the folder that was asked for.
    names = [name for name in known if name in ("json", "mask", "overlay")]
    files = {name: Path(known[name]).name for name in names}
    assert {name: Path(row[name]).name for name in files} == files
    assert_same_row({**row, **files}, {**known, **files})


@every_kind
def test_a_predictor_answers_as_before(run: Path, kind: str) -> None:
    options: dict[str, Any] = {"threshold": 0.05, "merge_overlap": 0.35} if kind == "detector" else {}
    known = rows_of(RUNS / kind / "predictions" / "predictions.csv")[-1]
    said = Predictor.from_run(run, **options)(known["picture"])
    if kind == "detector":
        assert said.labels[0] == known["label"]
        assert len(said.labels) == int(known["detections"])
        assert said.scores[0] == pytest.approx(float(known["score"]), abs=1e-4)
        return
    assert said.confidence == pytest.approx(float(known["confidence"]), abs=1e-4)
    assert said.entropy == pytest.approx(float(known["entropy"]), abs=1e-4)
    if kind == "classification":
        assert said.label == known["label"]
        assert said.probs == pytest.approx({name: float(known[f"prob/{name}"]) for name in said.probs}, abs=1e-4)
    else:
        shares = {name: (said.mask == index).mean() for index, name in enumerate(said.class_names)}
        assert shares == pytest.approx({name: float(known[f"share/{name}"]) for name in shares}, abs=1e-3)


@every_kind
@pytest.mark.parametrize("name", ["best", "last"])
def test_a_task_is_loaded_with_its_weights_and_arguments(kind: str, name: str) -> None:
    path = RUNS / kind / "checkpoints" / f"{name}.ckpt"
    stored = torch.load(path, weights_only=True)
    task = TASKS[kind].load_from_checkpoint(path)
    assert type(task) is TASKS[kind]
    state = task.state_dict()
    assert state.keys() == stored["state_dict"].keys()
    assert all(torch.equal(state[entry].cpu(), value) for entry, value in stored["state_dict"].items())
    assert {key: task.hparams[key] for key in stored["hyper_parameters"]} == stored["hyper_parameters"]
    assert task.known_class_names() == tuple(stored["hyper_parameters"]["class_names"])


@every_kind
def test_goes_on_as_the_earlier_code_did(run: Path, kind: str) -> None:
    assert main(["fit", "--run", str(run), "--trainer.max_epochs", "2"]) == 0
    record, known = record_of(run / "metrics.json"), record_of(RUNS / kind / "continued.json")
    assert record["epochs"] == 2
    assert record["initial_weights"] == known["initial_weights"]
    assert record.keys() >= known.keys()
    # Steps enlarge the differences between processors.
    for name, value in known.items():
        if name in ("train/loss", "val/loss") or name.startswith("best/"):
            assert record[name] == pytest.approx(value, abs=2e-3), name

    before, after = rows_of(RUNS / kind / "metrics.csv"), rows_of(run / "metrics.csv")
    for row, of_old in zip(after, before, strict=False):
        assert_same_row(row, of_old)
    # Of the rates, of validation, and of training.
    assert [row["epoch"] for row in after[len(before) :]] == ["", "1", "1"]
    assert any(name.startswith("lr") and value for name, value in after[len(before)].items())

    first, second = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True) for folder in (RUNS / kind, run)
    )
    assert (first["epoch"], second["epoch"]) == (0, 1)
    assert second["global_step"] == 2 * first["global_step"]
    assert any(not torch.equal(value, second["state_dict"][name]) for name, value in first["state_dict"].items())
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["epoch"] == (1 if kind == "classes" else 0), "where the second epoch is better"
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    if kind == "one_logit":
        steps = {int(one["step"]) for one in second["optimizer_states"][0]["state"].values()}
        assert steps == {second["global_step"]}, "the moments of the optimiser are those of all steps"


@every_kind
def test_doctor_shows_the_network_the_pictures_that_were_measured(
    kind: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = ["--data.cache_dir", str(tmp_path / "facts")]
    words = ["doctor", "--run", str(run), *facts, "--output", str(tmp_path), "--speed", "false"]
    # One or two epochs are no good training.
    assert main(words) in (0, 1)
    told = capsys.readouterr().out
    record, shown = record_of(run / "metrics.json"), dict(re.findall(r"(\w+): the network was shown (\d+)", told))
    right = sum(int(number) * record[f"{split}/accuracy"] for split, number in shown.items())
    (percent,) = re.findall(r"^([\d.]+)% of the \w+ are right", told, re.MULTILINE)
    assert shown.keys() == {"val", "test"}
    assert float(percent) == pytest.approx(100 * right / sum(map(int, shown.values())), abs=0.06)
    found = {one["name"] for one in json.loads((tmp_path / "findings.json").read_text())}
    assert "network-not-looked-at" not in found
    assert ("boxes-not-looked-at" in found) == (kind == "detector")
