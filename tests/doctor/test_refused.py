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
