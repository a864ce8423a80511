"""Annotations of labelling tools as masks: through the datamodule and through the command line, on what is invented."""

import json
import logging
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_seg import ImageMaskFolderDataModule
from lightning_seg.__main__ import main
from lightning_seg.datasets.annotated import DrawnMasks
from lightning_seg.errors import ConfigError, DataError
from lightning_seg.synthetic.annotated import TWINS, Tool, write_annotated
from lightning_seg.synthetic.image_mask_folder import draw_scene

CONFIG = str(Path(__file__).parents[2] / "configs" / "own_data.yaml")
CLASSES: list[str | int] = ["background", "disc", "box", "star"]
SMALL = shlex.split(
    "--model UNetTask --model.width 4 --data.image_size 32 --data.batch_size 2 --data.num_workers 0 "
    "--data.cache false --trainer.accelerator cpu --trainer.enable_progress_bar false "
    "--trainer.enable_model_summary false --trainer.fast_dev_run true"
)
NUM = 12
LISTED: dict[str, Any] = {"val_fraction": 0.1}
"""For layouts that have splits of their own."""
EMPTY = "scene002_1"
"""The tenth picture."""


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same pictures as each tool writes them; not to be changed."""
    folder = tmp_path_factory.mktemp("annotated")
    for tool in TWINS:
        write_annotated(folder / tool, tool, NUM)
    return {tool: folder / tool for tool in TWINS}


def make(root: Path, tool: Tool, **options: Any) -> ImageMaskFolderDataModule:
    given = {"annotations": TWINS[tool], "image_size": None, "batch_size": 1, "num_workers": 0, "augment": False}
    return ImageMaskFolderDataModule(root, **{**given, "val_fraction": 0.25, "test_fraction": 0.0, **options})


def drawn(stem: str) -> Any:
    """What the writer has drawn, in the order of ``CLASSES``."""
    number = int(stem[5:8]) * 4 + int(stem[-1])
    classes = draw_scene((0, number), 4)[1]
    return np.zeros_like(classes) if stem == EMPTY else classes


@pytest.mark.parametrize("tool", TWINS)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_masks_are_what_was_drawn(roots: dict[str, Path], tool: Tool, num_workers: int) -> None:
    fractions = {} if tool in ("coco", "labelme") else {"val_fraction": 0.1}
    data = make(roots[tool], tool, classes=CLASSES, num_workers=num_workers, **fractions)
    data.setup("fit")
    seen = 0
    for batch in (*data.train_dataloader(), *data.val_dataloader()):
        stem, mask = Path(batch["path"][0]).stem, batch["mask"][0].numpy()
        counts = mask != 255
        np.testing.assert_array_equal(mask[counts], drawn(stem)[counts], err_msg=stem)
        ignored = (~counts).sum()
        # VOC's borders, and the crowd in a corner of the second picture.
        crowd = 256 if (tool, stem) == ("coco", "scene000_1") else 0
        assert ignored == crowd if tool != "voc" else ignored < 0.2 * mask.size
        seen += 1
    assert seen == NUM


@pytest.mark.parametrize("tool", TWINS)
def test_every_format_trains_by_the_command_that_synthesize_prints(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["synthesize", "annotated_masks", "data", "--tool", tool, "--num_pictures", str(NUM)]) == 0
    command = shlex.split(capsys.readouterr().out.strip().splitlines()[-1].partition("train on it: ")[2])
    assert command[2:6] == ["--config", "own_data", "--data.annotations", TWINS[tool]]
    assert main([*command[1:], *SMALL]) == 0, capsys.readouterr().err


def test_classes_come_from_the_file(roots: dict[str, Path]) -> None:
    assert make(roots["coco"], "coco").class_names == tuple(CLASSES)
    assert make(roots["yolo"], "yolo").class_names == tuple(CLASSES)
    assert make(roots["voc"], "voc").class_names == tuple(CLASSES)
    # LabelMe has no list of them.
    assert make(roots["labelme"], "labelme").class_names == ("background", "box", "disc", "star")


def test_classes_that_are_not_named_are_told(roots: dict[str, Path], caplog: pytest.LogCaptureFixture) -> None:
    data = make(roots["coco"], "coco", classes=["background", "star"])
    assert data.num_classes == 2
    path = roots["coco"] / "annotations.json"
    assert f"{path}: objects of disc, box count as background, since classes do not name them" in caplog.messages


def test_pictures_that_nobody_annotated(
    roots: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(roots["labelme"], tmp_path / "labelme"))
    (root / "labelme" / "scene000_3.json").unlink()
    data = make(root, "labelme")
    data.setup("fit")
    told = [line for line in caplog.messages if "left out" in line]
    assert told == [f"1 picture is left out, since {root / 'labelme'} tells nothing of them: images/scene000_3.jpg"]
    assert [Path(path).name for path in data.passed_over] == ["scene000_3.jpg"]
    assert [path.name for path in data.unlabelled_pictures()] == ["scene000_3.jpg"]
    assert [path.stem for path in make(roots["yolo"], "yolo").unlabelled_pictures()] == [EMPTY]
    with pytest.raises(DataError, match="all pictures have a mask; give other pictures with --images"):
        make(roots["coco"], "coco").unlabelled_pictures()


def test_pictures_without_a_file_of_yolo_hold_nothing_unless_they_are_left_out(
    roots: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """What ``skip`` leaves out is what ``predict --images unlabelled`` takes."""
    data, without = make(roots["yolo"], "yolo", **LISTED), make(roots["yolo"], "yolo", unlabelled="skip", **LISTED)
    for one in (data, without):
        one.setup("fit")
    stems = [{Path(record.image).stem for record in one.datasets["train"].records} for one in (data, without)]
    assert stems[0] - stems[1] == {EMPTY}
    assert stems[0] > stems[1]
    assert data.left_out == {}
    assert without.left_out["unlabelled"] == [str(path) for path in without.unlabelled_pictures()]
    assert [path.stem for path in without.unlabelled_pictures()] == [EMPTY]
    assert f"unlabelled skip: 1 of {NUM} pictures have no mask" in caplog.messages


def test_listed_pictures_of_voc_without_a_mask(
    roots: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is listed without a mask, and one with a mask that is on no list."""
    root = Path(shutil.copytree(roots["voc"], tmp_path / "voc"))
    place = root / "VOC"
    (place / "SegmentationClass" / "scene000_1.png").unlink()
    train = place / "ImageSets" / "Segmentation" / "train.txt"
    train.write_text(train.read_text().replace("scene000_2\n", ""))
    with pytest.raises(DataError, match=r"1 of 11 pictures have no mask, the first is VOC/JPEGImages/scene000_1\.jpg"):
        make(root, "voc", **LISTED).setup("fit")
    caplog.clear()
    data = make(root, "voc", unlabelled="skip", **LISTED)
    data.setup("fit")
    assert [Path(path).stem for path in data.left_out["unlabelled"]] == ["scene000_1"]
    assert [path.stem for path in data.unlabelled_pictures()] == ["scene000_1"]
    assert [Path(path).stem for path in data.passed_over] == ["scene000_2"]
    assert (
        f"1 picture is left out, since they have no mask in SegmentationClass of {place}, or stand on none of its "
        "lists: VOC/JPEGImages/scene000_2.jpg"
    ) in caplog.messages


@pytest.mark.parametrize("flags", [[], ["--data.unlabelled", "skip"]], ids=["error", "skip"])
def test_the_doctor_takes_pictures_without_a_file_of_yolo_as_fit_does(
    roots: dict[str, Path], tmp_path: Path, flags: list[str]
) -> None:
    words = ["doctor", "--data", "ImageMaskFolderDataModule", "--data.root", str(roots["yolo"]), "--data.annotations"]
    words += ["data.yaml", "--data.image_size", "32", "--speed", "false", "--quiet", *flags]
    main([*words, "--output", str(tmp_path / "seen")])
    found = {one["name"]: one for one in json.loads((tmp_path / "seen" / "findings.json").read_text())}
    if flags:
        assert [Path(path).stem for path in found["missing-mask"]["files"]] == [EMPTY]
    else:
        assert "missing-mask" not in found
        # Nothing but the YAML tells of it.
        assert found["one-class-only"]["files"] == [str(roots["yolo"] / "data.yaml")]


def test_pictures_outside_of_the_root_may_be_left_out(
    roots: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(roots["labelme"] / "labelme", tmp_path / "root" / "json")).parent
    shutil.copytree(roots["labelme"] / "images", tmp_path / "root" / "images")
    (tmp_path / "root" / "images").rename(tmp_path / "images")
    for file in (root / "json").iterdir():
        file.write_text(file.read_text().replace("../images", "../../images"))
    (root / "json" / "scene000_3.json").unlink()
    make(root, "labelme", annotations="json").setup("fit")
    assert f"tells nothing of them: {tmp_path / 'images' / 'scene000_3.jpg'}" in caplog.text


def test_a_corrected_file_is_read_again(roots: dict[str, Path], tmp_path: Path) -> None:
    """What is remembered of masks depends on the file that tells them."""
    root = Path(shutil.copytree(roots["coco"], tmp_path / "coco"))
    make(root, "coco").setup("fit")
    path = root / "annotations.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = [[0, 0, 1e9, 0, 1e9, 1e9]]
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"annotation 1 has an outline with 1e\+09, far outside of its picture"):
        make(root, "coco").setup("fit")


def test_a_cache_holds_drawn_masks(roots: dict[str, Path], tmp_path: Path) -> None:
    data = make(roots["coco"], "coco", image_size=32, cache="disk", cache_dir=str(tmp_path / "caches"))
    plain = make(roots["coco"], "coco", image_size=32)
    for one in (data, plain):
        one.setup("fit")
    assert isinstance(data.datasets["val"], DrawnMasks)
    for cached, read in zip(data.val_dataloader(), plain.val_dataloader(), strict=True):
        assert cached["mask"].equal(read["mask"])
        assert cached["image"].equal(read["image"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"masks": "labels/{stem}.png"}, "stand for all masks; leave masks and pairs out"),
        ({"pairs": "pairs.csv"}, "stand for all masks; leave masks and pairs out"),
        ({"mask_values": [0, 1, 2, 3]}, "name the classes of objects; leave mask_values, ignore_values"),
        ({"mask_match": "nearest"}, "name the classes of objects"),
        ({"val_fraction": 0.4, "annotations": "annotations.json", "val_list": "v"}, "val_fraction 0.4 and val_list"),
        ({"classes": ["background", "cow"]}, "has no label cow; it has disc, box, star; give --data.classes null"),
    ],
)
def test_arguments_that_contradict_annotations(roots: dict[str, Path], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(roots["coco"], "coco", **options)


def test_splits_of_the_file_and_a_fraction_contradict_each_other(roots: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"val_fraction 0\.25 and the splits of annotations data\.yaml contradict"):
        make(roots["yolo"], "yolo").setup("fit")


def test_synthetic_pictures_of_a_layout(tmp_path: Path) -> None:
    data = make(tmp_path / "root", "yolo", source="synthetic", val_fraction=0.1)
    assert data.class_names == tuple(CLASSES)
    data.prepare_data()
    data.setup("fit")
    assert len(data.datasets["train"]) == 32
    with pytest.raises(ConfigError, match=r"does not write annotations mine\.json; use annotations\.json, data\.yaml"):
        make(tmp_path / "other", "coco", annotations="mine.json", source="synthetic").prepare_data()


def test_the_doctor_names_wrong_annotations(
    roots: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = Path(shutil.copytree(roots["yolo"], tmp_path / "yolo"))
    file = root / "labels" / "train" / "scene000_1.txt"
    file.write_text("0 0.5 0.5 0.2 0.2\n")
    words = ["doctor", "--data", "ImageMaskFolderDataModule", "--data.root", str(root), "--data.annotations"]
    words += ["data.yaml", "--data.image_size", "32", "--speed", "false", "--quiet"]
    with caplog.at_level(logging.WARNING):
        assert main([*words, "--output", str(tmp_path / "seen")]) == 1
    found = {one["name"]: one for one in json.loads((tmp_path / "seen" / "findings.json").read_text())}
    assert found["wrong-annotation"]["files"] == [str(file)]
    assert "which is a box and no outline" in found["wrong-annotation"]["detail"]
    assert "unreadable-mask" not in found


def test_an_annotation_file_of_another_kind_is_one_line(
    roots: dict[str, Path], tmp_path: Path, mistake: Callable[[list[str]], str]
) -> None:
    (tmp_path / "labels").mkdir()
    line = mistake(["fit", "--config", CONFIG, *SMALL, "--data.root", str(tmp_path), "--data.annotations", "labels"])
    assert "labels: no annotations of a known layout; give --data.annotations a .json file (COCO)" in line
