"""A user's own data through the command line: write, train, test; arguments as they are typed."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_seg.__main__ import main

CONFIG = str(Path(__file__).parents[1] / "configs" / "own_data.yaml")
SMALL = shlex.split(
    "--model.encoder_weights null --model.freeze_encoder_norm false --data.image_size 32 --data.batch_size 4 "
    "--data.num_workers 0 --trainer.accelerator cpu --trainer.max_epochs 1 --trainer.enable_progress_bar false "
    "--trainer.enable_model_summary false"
)

Last = Callable[[list[str]], str]


@pytest.fixture
def last(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Last:
    """Runs a command in an empty folder and returns the last line it prints."""
    monkeypatch.chdir(tmp_path)

    def run(words: list[str]) -> str:
        assert main(words) == 0, capsys.readouterr().err
        return capsys.readouterr().out.strip().splitlines()[-1]

    return run


def test_the_config_trains_on_what_synthesize_writes(last: Last) -> None:
    line = last(["synthesize", "image_mask_folder", "data/own", "--num_pictures", "20"])
    command = shlex.split(line.partition("train on it: ")[2])
    assert command == ["lightning-seg", "fit", "--config", "own_data", "--data.root", "data/own"]

    run = Path(last([*command[1:], *SMALL]))
    assert (run.parent.name, run.name) == ("own_data", "version_0")
    assert Path(last(["test", "--run", str(run)])) == run.resolve()

    record = json.loads((run / "metrics.json").read_text())
    classes = {"background", "disc", "box", "star"}
    assert {f"{split}/iou/{name}" for split in ("train", "val", "test") for name in classes} <= record.keys()
    assert {name for name in record if name.startswith("test/iou/")} == {f"test/iou/{name}" for name in classes}


@pytest.mark.parametrize(("encoding", "layout"), [("binary", "folders"), ("colour", "beside"), ("palette", "beside")])
def test_the_printed_command_fits_the_encoding(last: Last, encoding: str, layout: str) -> None:
    words = ["synthesize", "image_mask_folder", "my own", "--encoding", encoding, "--layout", layout]
    command = shlex.split(last([*words, "--num_pictures", "20"]).partition("train on it: ")[2])
    assert command[2:4] == ["--config", "own_data"]
    assert main([*command[1:], *SMALL, "--trainer.fast_dev_run", "true"]) == 0


def test_the_config_for_folders_of_classes_trains_and_predicts(last: Last, flowers_root: Path) -> None:
    """With a smaller network and without a download; the rest is the config's."""
    small = shlex.split(
        "--model.arch resnet10t --model.weights null --data.image_size 32 --data.num_workers 0 --data.cache ram "
        "--trainer.accelerator cpu --trainer.max_epochs 1 --trainer.enable_progress_bar false "
        "--trainer.enable_model_summary false"
    )
    run = Path(last(["fit", "--config", "own_classes", "--data.root", str(flowers_root), *small]))
    assert (run.parent.name, run.name) == ("own_classes", "version_0")
    stored = yaml.safe_load((run / "config.yaml").read_text())
    assert stored["early_stopping"] == 5
    photo = next((flowers_root / "roses").iterdir())
    assert last(["predict", "--run", str(run), "--images", str(photo), "--output", "out"]) == "out"
    assert "roses" in (Path("out") / "predictions.csv").read_text()


def parsed(capsys: pytest.CaptureFixture[str], *flags: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--config", CONFIG, *flags, "--print_config"])
    assert stop.value.code == 0, capsys.readouterr().err
    arguments: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)["data"]["init_args"]
    return arguments


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("null", None),
        ("[0, 255]", [0, 255]),
        ("[0,255]", [0, 255]),
        ('["#000000", "#ff0000"]', ["#000000", "#ff0000"]),
        ("['#000000', '#123456']", ["#000000", "#123456"]),
        ("[[0,0,0],[255,0,0]]", [[0, 0, 0], [255, 0, 0]]),
        ('[[0, 0, 0], "#1234e5"]', [[0, 0, 0], "#1234e5"]),
    ],
)
def test_values_as_they_are_typed(capsys: pytest.CaptureFixture[str], typed: str, expected: Any) -> None:
    found = parsed(capsys, "--data.mask_values", typed, "--data.ignore_values", typed)
    assert (found["mask_values"], found["ignore_values"]) == (expected, expected)


def test_other_arguments_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--data.classes", "[cat, dog]", "--data.group", r"^(.+?)_\d+$", "--data.masks", "{dir}/{stem}.png"]
    found = parsed(capsys, *flags, "--data.check_masks", "false", "--data.test_fraction", "0")
    assert found["classes"] == ["cat", "dog"]
    assert found["group"] == r"^(.+?)_\d+$"
    assert found["masks"] == "{dir}/{stem}.png"
    assert (found["check_masks"], found["test_fraction"]) == (False, 0.0)
    assert (found["pairs"], found["val_list"], found["seed"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--data.clases", "[cat, dog]"], "Option 'clases' is not accepted; did you mean --data.classes?"),
        (["--data.image", "*.png"], "Option 'image' is not accepted; did you mean --data.images?"),
        (["--data.mask_values", "[0.5, 1]"], "mask_values"),
        (["--data.classes", "[cat]"], "classes ['cat']: 1 is no possible number; give 2 to 255 names"),
        (["--data.download", "true"], "download true: your own pictures have no address"),
        (["--data.root", "nowhere"], "nowhere: no such folder; give that of your pictures with --data.root"),
    ],
)
def test_mistakes_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code: object = main(["fit", "--config", CONFIG, *SMALL, *flags])
    except SystemExit as stop:
        code = stop.code
    lines = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith("lightning-seg: error: ")
    assert expected in lines[0]
