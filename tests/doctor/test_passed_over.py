"""What lies among the pictures and cannot be read, or is taken by no split: named by doctor, and by fit in one line."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.datamodules import ImageFolderDataModule, ImageMaskFolderDataModule
from lightning_seg.datamodules.base import DataModule
from lightning_seg.datamodules.coco_objects import CocoObjectsDataModule
from lightning_seg.errors import DataError

Doctor = Callable[..., tuple[dict[str, Any], list[str]]]
NO_FILE = "a folder, a pipe, a device or a link to nothing, and no picture; take it away"
TWO: list[str | int] = ["a", "b"]


@pytest.fixture
def doctor(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Doctor:
    """Runs the command without its timing; findings by name, and the lines that are logged."""

    def run(kind: str, root: Path, *flags: str) -> tuple[dict[str, Any], list[str]]:
        place = tmp_path / "seen"
        words = ["doctor", "--data", kind, "--data.root", str(root), *flags, "--speed", "false", "--quiet"]
        main([*words, "--output", str(place)])
        findings = {one["name"]: one for one in json.loads((place / "findings.json").read_text())}
        lines = list(caplog.messages)
        caplog.clear()
        return findings, lines

    return run


def picture(path: Path, number: int, suffix: str = ".png") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number)
    Image.fromarray(noise.integers(0, 256, (24, 24, 3), np.uint8)).save(path.with_name(f"{path.name}{suffix}"))


def pairs(root: Path, number: int = 20) -> Path:
    half = np.zeros((24, 24), np.uint8)
    half[:, :12] = 1
    for index in range(number):
        picture(root / "images" / f"{index:02}", index)
        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(half).save(root / "masks" / f"{index:02}.png")
    return root


def folders(root: Path, names: Sequence[str] = ("a", "b")) -> Path:
    for place, name in enumerate(names):
        for index in range(12):
            picture(root / name / f"{index:02}", 100 * place + index)
    return root


def spoil(folder: Path) -> list[str]:
    """A link to nothing, one to itself and a pipe, in place of pictures that are there."""
    names = ["00.png", "01.png", "02.png"]
    for name in names:
        (folder / name).unlink()
    (folder / names[0]).symlink_to("nowhere.png")
    (folder / names[1]).symlink_to(names[1])
    os.mkfifo(folder / names[2])
    return [str(folder / name) for name in names]


MASKS = ("--data.classes", "[a, b]", "--data.images", "images/*.png")


def own(root: Path, **options: Any) -> ImageMaskFolderDataModule:
    return ImageMaskFolderDataModule(root, TWO, images="images/*.png", image_size=16, num_workers=0, **options)


def set_up(data: DataModule[Any]) -> DataModule[Any]:
    for stage in ("fit", "test"):
        data.setup(stage)
    return data


def test_links_and_pipes_among_own_pictures(tmp_path: Path, doctor: Doctor) -> None:
    root = pairs(tmp_path / "own")
    wrong = spoil(root / "images")
    found, _ = doctor("ImageMaskFolderDataModule", root, *MASKS)
    assert sorted(found["no-file"]["files"]) == wrong
    assert found["no-file"]["severity"] == "error"
    assert NO_FILE in found["no-file"]["detail"]
    with pytest.raises(DataError, match=NO_FILE):
        set_up(own(root))
    data = set_up(own(root, unreadable="skip"))
    assert sorted(data.left_out["unreadable"]) == wrong


def test_links_and_pipes_among_masks(tmp_path: Path, doctor: Doctor) -> None:
    """Not left out as pictures that nobody has labelled, either."""
    root = pairs(tmp_path / "own")
    wrong = spoil(root / "masks")
    found, _ = doctor("ImageMaskFolderDataModule", root, *MASKS, "--data.unlabelled", "skip")
    assert sorted(found["unreadable-mask"]["files"]) == wrong
    assert not {"missing-mask", "mask-without-picture"} & found.keys()
    with pytest.raises(DataError, match=NO_FILE):
        set_up(own(root, unlabelled="skip"))


def test_links_and_pipes_in_folders_of_classes(tmp_path: Path, doctor: Doctor) -> None:
    root = folders(tmp_path / "classes")
    wrong = spoil(root / "a")
    found, _ = doctor("ImageFolderDataModule", root)
    assert sorted(found["no-file"]["files"]) == wrong
    data = set_up(ImageFolderDataModule(root, image_size=16, unreadable="skip", num_workers=0))
    assert sorted(data.left_out["unreadable"]) == wrong


@pytest.mark.parametrize("kind", ["pairs", "labels"])
def test_links_and_pipes_on_lists(kind: str, tmp_path: Path, doctor: Doctor) -> None:
    root = pairs(tmp_path / "own")
    wrong = spoil(root / "images")
    numbers = range(20)
    if kind == "pairs":
        lines = ["image,mask", *(f"images/{one:02}.png,masks/{one:02}.png" for one in numbers)]
        words = ["ImageMaskFolderDataModule", root, "--data.classes", "[a, b]", "--data.pairs", "list.csv"]
    else:
        lines = ["image,label", *(f"images/{one:02}.png,{'ab'[one % 2]}" for one in numbers)]
        words = ["ImageFolderDataModule", root, "--data.labels", "list.csv"]
    (root / "list.csv").write_text("\n".join(lines))
    found, _ = doctor(*words)
    assert sorted(found["no-file"]["files"]) == wrong


def test_links_and_pipes_among_scenes(tmp_path: Path, doctor: Doctor) -> None:
    root = pairs(tmp_path / "own", 6)
    wrong = spoil(root / "images")
    files = [{"id": one, "file_name": f"{one:02}.png"} for one in range(6)]
    boxes = [{"id": one, "image_id": one, "category_id": 1, "bbox": [2, 2, 9, 9]} for one in range(6)]
    content = {"images": files, "annotations": boxes, "categories": [{"id": 1, "name": "thing"}]}
    (root / "annotations.json").write_text(json.dumps(content))
    found, _ = doctor("CocoObjectsDataModule", root)
    assert sorted(found["no-file"]["files"]) == wrong
    data = CocoObjectsDataModule(root, unreadable="skip", num_workers=0)
    data.read_original_sizes()
    data.setup("test")
    assert data.left_out["unreadable"] == wrong


def test_a_folder_of_a_class_that_is_a_link_to_nothing(
    tmp_path: Path, doctor: Doctor, caplog: pytest.LogCaptureFixture
) -> None:
    root = folders(tmp_path / "classes")
    (root / "c").symlink_to("elsewhere")
    (root / "a" / "notes.txt").write_text("seen")
    found, lines = doctor("ImageFolderDataModule", root)
    assert found["files-passed-over"]["files"] == [str(root / "c"), str(root / "a" / "notes.txt")]
    # Said by the finding, and not by the set-up as well.
    assert lines == []
    ImageFolderDataModule(root, image_size=16, num_workers=0).setup("fit")
    assert f"{root}: links to nothing are left out, and what they stood for: c" in caplog.messages


def test_suffixes_in_another_case(tmp_path: Path, doctor: Doctor, caplog: pytest.LogCaptureFixture) -> None:
    root = pairs(tmp_path / "own")
    (root / "images" / "03.png").rename(root / "images" / "03.PNG")
    found, lines = doctor("ImageMaskFolderDataModule", root, *MASKS)
    assert found["files-passed-over"]["files"] == [str(root / "images" / "03.PNG")]
    assert lines == []
    own(root).setup("fit")
    assert (
        "1 picture is left out, since images 'images/*.png' does not match them; 'images/*' takes all that lie there: "
        "images/03.PNG"
    ) in caplog.messages


def test_lines_for_a_training_are_findings_alone(
    tmp_path: Path, doctor: Doctor, caplog: pytest.LogCaptureFixture
) -> None:
    root = pairs(tmp_path / "own")
    (root / "masks" / "03.png").unlink()
    (root / "synthetic.json").write_text('{"dataset": "image_mask_folder", "format": 1}')
    found, lines = doctor("ImageMaskFolderDataModule", root, *MASKS, "--data.unlabelled", "skip")
    assert lines == []
    assert found["missing-mask"]["severity"] == "warning"
    assert found["missing-mask"]["files"] == [str(root / "images" / "03.png")]
    assert found["synthetic-pictures"]["severity"] == "note"
    # A training says both.
    own(root, unlabelled="skip").setup("fit")
    assert "unlabelled skip: 1 of 20 pictures have no mask" in caplog.messages
    assert f"{root} holds synthetic pictures, not the real dataset" in caplog.messages


def test_annotations_that_are_no_objects_are_told_by_the_finding_alone(scenes_copy: Path, doctor: Doctor) -> None:
    file = scenes_copy / "annotations.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"][2] = 0
    file.write_text(json.dumps(content))
    found, lines = doctor("CocoObjectsDataModule", scenes_copy)
    assert lines == []
    assert found["boxes-left-out"]["detail"] == "1 box without width or height"


@pytest.fixture
def scenes_copy(scenes_root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scenes_root, tmp_path / "scenes"))
