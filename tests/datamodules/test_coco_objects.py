"""Whole pictures with boxes as a datamodule."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lightning_seg import CocoObjectsDataModule
from lightning_seg.datasets.coco_objects import Scenes, read_scenes
from lightning_seg.errors import ConfigError, DataError


def test_validation_and_test_see_all_pictures_as_they_are(scenes_root: Path) -> None:
    data = CocoObjectsDataModule(scenes_root, num_workers=0, image_size=64)
    assert data.class_names == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    data.read_original_sizes()
    data.setup("validate")
    data.setup("test")
    for loader in (data.val_dataloader(), data.test_dataloader()):
        batches = list(loader)
        assert len(batches) == 4
        for batch in batches:
            assert "label" not in batch
            height, width = batch["original_size"][0].tolist()
            assert batch["image"].shape == (1, 3, height, width)
            assert len(batch["boxes"][0]) == len(batch["box_labels"][0]) >= 2


def test_synthetic_scenes_are_written_and_others_are_left_alone(
    scenes_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr("lightning_seg.datamodules.coco_objects.write_scenes", written.append)
    new = CocoObjectsDataModule(tmp_path / "new", source="synthetic")
    assert new.num_classes == 5, "known before they are written"
    for data in (new, CocoObjectsDataModule(scenes_root, source="synthetic")):
        data.prepare_data()
    assert written == [tmp_path / "new"]


def test_the_annotation_file_is_read_once(scenes_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counting(annotations: Path, *args: Any) -> Scenes:
        read.append(annotations)
        return read_scenes(annotations, *args)

    monkeypatch.setattr("lightning_seg.datasets.coco_objects.read_scenes", counting)
    data = CocoObjectsDataModule(scenes_root, num_workers=0, image_size=64)
    data.read_original_sizes((32, 48))
    data.setup("validate")
    data.setup("test")
    assert read == [scenes_root / "annotations.json"]
    assert data.datasets["val"].image_size == data.datasets["test"].image_size == (32, 48)


def test_mistakes(scenes_root: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a detector is trained on pictures of one object; fit it to ImageFolder"):
        CocoObjectsDataModule(scenes_root).setup("fit")
    with pytest.raises(ConfigError, match=r"from Python task\.measure_as\(data, original_size=True\)"):
        CocoObjectsDataModule(scenes_root).setup("test")
    missing = CocoObjectsDataModule(tmp_path, categories=["cat"])
    assert missing.class_names == ("cat",)
    missing.read_original_sizes()
    with pytest.raises(DataError, match=r"annotations\.json: no such file"):
        missing.setup("test")
    with pytest.raises(ConfigError, match="there is nothing to fetch"):
        CocoObjectsDataModule(tmp_path, download=True).prepare_data()


def test_what_is_left_out_of_a_file_is_said_once(
    scenes_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(scenes_root, tmp_path / "scenes"))
    content = json.loads((root / "annotations.json").read_text())
    content["annotations"][0]["bbox"][2] = 0
    (root / "annotations.json").write_text(json.dumps(content))
    data = CocoObjectsDataModule(root, num_workers=0)
    data.read_original_sizes()
    data.setup("test")
    assert [message.partition(": ")[2] for message in caplog.messages if "width" in message] == [
        "left out are 1 box without width or height"
    ]
