"""Datasets that their datamodule refuses, and pictures that cannot be used, through the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main


def look(data: list[str], place: Path) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--data", *data, "--output", str(place), "--speed", "false"])
    return code, {one["name"]: one for one in json.loads((place / "findings.json").read_text())}


def write(root: Path, masks: list[np.ndarray]) -> Path:
    noise = np.random.default_rng(0)
    for number, mask in enumerate(masks):
        for folder, pixels in (("images", noise.integers(0, 256, (16, 16, 3), np.uint8)), ("masks", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / folder / f"{number:02}.png")
    return root


def own(root: Path, classes: str) -> list[str]:
    data = ["ImageMaskFolderDataModule", "--data.root", str(root), "--data.classes", classes]
    return [*data, "--data.images", "images/*"]


@pytest.mark.parametrize("kind", ["a folder that is not there", "one picture for each class", "boxes of NaN"])
def test_data_that_cannot_be_listed_are_a_finding(kind: str, tmp_path: Path) -> None:
    root = tmp_path / "data"
    if kind == "boxes of NaN":
        (root / "images").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / "images" / "a.png")
        box = {"id": 4, "image_id": 1, "category_id": 1, "bbox": [float("nan"), 1, 2, 3]}
        content = {"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "x"}]}
        (root / "a.json").write_text(json.dumps({**content, "annotations": [box]}))
        data = ["CocoObjectsDataModule", "--data.root", str(root), "--data.annotations", "a.json"]
    else:
        data = ["ImageFolderDataModule", "--data.root", str(root)]
        for name in ("a", "b") if kind.startswith("one") else ():
            (root / name).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(root / name / "1.png")
    code, found = look(data, tmp_path / "seen")
    assert code == 1
    expected = {"a folder": "no such folder", "one pictu": "leave none to train on", "boxes of ": "which is no box"}
    assert expected[kind[:9].strip() if kind.startswith("a folder") else kind[:9]] in found["dataset-refused"]["detail"]


def test_the_same_reason_is_told_once(tmp_path: Path) -> None:
    code, found = look(own(tmp_path / "nowhere", "[a, b]"), tmp_path / "seen")
    assert code == 1
    assert list(found) == ["dataset-refused"]


def test_of_masks_that_cannot_be_used_no_class_is_missed(tmp_path: Path) -> None:
    """All hold 7, which is no class: that is said, and not that the classes occur nowhere."""
    code, found = look(own(write(tmp_path / "own", [np.full((16, 16), 7, np.uint8)] * 20), "[a, b]"), tmp_path / "seen")
    assert code == 1
    assert "value-of-no-class" in found
    assert not {"class-in-no-split", "class-missing-in-split", "rare-class", "rare-class-in-split"} & found.keys()


def test_a_place_where_nothing_can_be_written_is_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["doctor", "--data", *own(tmp_path / "own", "[a, b]"), "--output", str(tmp_path / "file" / "x")]) == 2
    told = capsys.readouterr()
    assert "no folder can be made there" in told.err
    assert told.out == ""


def folders(root: Path) -> list[str]:
    noise = np.random.default_rng(0)
    for name in ("train/a", "train/b", "val/a", "val/b"):
        (root / name).mkdir(parents=True)
        Image.fromarray(noise.integers(0, 256, (16, 16, 3), np.uint8)).save(root / name / "1.png")
    return ["ImageFolderDataModule", "--data.root", str(root)]


COMMAND = [
    ("folders", ["--data.classes", "[a]"], "classes ['a'] must be two different names or more"),
    ("folders", ["--data.val_fraction", "1.3"], "val_fraction 1.3 must be at least 0 and less than 1"),
    ("folders", ["--data.group", "("], "group '(' is no regular expression"),
    ("folders", ["--data.download", "true"], "your own pictures have no address"),
    ("masks", ["--data.val_fraction", "1.3"], "val_fraction 1.3 must be at least 0 and less than 1"),
    ("masks", ["--data.group", "("], "group '(' is no regular expression"),
    ("masks", ["--data.download", "true"], "your own pictures have no address"),
    ("masks", ["--data.val_list", "v.txt", "--data.val_fraction", "0.3"], "val_fraction 0.3 and val_list contradict"),
]
FILES = [
    ("folders", ["--data.classes", "[a, c]"], "b is none of the classes a, c"),
    ("folders", ["--data.val_fraction", "0.3"], "val_fraction 0.3 and the folders train/, val/ and test/ contradict"),
    ("folders", ["--data.group", "^z"], "group '^z' does not match '1'"),
    ("folders", ["--data.labels", "nowhere.csv"], "nowhere.csv: cannot be read"),
    ("masks", ["--data.group", "^z"], "group '^z' does not match '00'"),
    ("masks", ["--data.val_list", "nowhere.txt"], "nowhere.txt: cannot be read"),
]


@pytest.mark.parametrize(("kind", "flags", "line"), COMMAND)
def test_what_is_wrong_whatever_the_files_are_is_a_mistake_of_the_command(
    kind: str, flags: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = np.repeat([[0, 1]], 16, axis=0).repeat(8, axis=1).astype(np.uint8)
    root = tmp_path / "data"
    data = folders(root) if kind == "folders" else own(write(root, [half] * 4), "[a, b]")
    code = main(["doctor", "--data", *data, *flags, "--output", str(tmp_path / "seen"), "--speed", "false"])
    told = capsys.readouterr()
    assert code == 2
    assert line in told.err
    assert told.out == ""
    assert not (tmp_path / "seen" / "findings.json").exists()


@pytest.mark.parametrize(("kind", "flags", "line"), FILES)
def test_what_only_the_files_show_is_a_finding(kind: str, flags: list[str], line: str, tmp_path: Path) -> None:
    half = np.repeat([[0, 1]], 16, axis=0).repeat(8, axis=1).astype(np.uint8)
    root = tmp_path / "data"
    data = folders(root) if kind == "folders" else own(write(root, [half] * 4), "[a, b]")
    code, found = look([*data, *flags], tmp_path / "seen")
    assert code == 1
    assert line in found["dataset-refused"]["detail"]


def test_scenes_that_are_not_there_are_refused_although_nothing_is_trained_on_them(tmp_path: Path) -> None:
    code, found = look(["CocoObjectsDataModule", "--data.root", str(tmp_path)], tmp_path / "seen")
    assert code == 1
    assert "annotations.json: no such file" in found["dataset-refused"]["detail"]


def test_a_report_among_the_folders_of_classes_would_be_a_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folders(tmp_path / "data")
    assert main(["doctor", "--data", *data, "--output", str(tmp_path / "data" / "seen")]) == 2
    assert "where folders are classes; give one elsewhere" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["train", "val"]
