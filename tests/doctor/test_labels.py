"""Values, masks and boxes, found by the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.datasets.mask_codes import MaskCodes
from lightning_seg.datasets.mask_files import StoredMask
from lightning_seg.datasets.stray_values import Strays, StrayValue, StrayValueError, class_indices, from_text
from lightning_seg.doctor.dataset import labels
from lightning_seg.doctor.dataset.strays import is_smoothed
from lightning_seg.images import Array


def disc(values: tuple[int, int] = (0, 1)) -> Array:
    """A mask of 40x40 pixels with a square of 20x20."""
    mask = np.full((40, 40), values[0], np.uint8)
    mask[10:30, 10:30] = values[1]
    return mask


def write(root: Path, masks: dict[str, Array]) -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, (name, mask) in enumerate(masks.items()):
        noise = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"images/{name}.png")
        Image.fromarray(mask).save(root / f"masks/{name}.png")
    return root


def diagnose(root: Path, *flags: str, data: str = "ImageMaskFolderDataModule") -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by name, with file names alone."""
    output = root.parent / "found"
    code = main(
        ["doctor", "--data", data, "--data.root", str(root), *flags, "--speed", "false", "--output", str(output)]
    )
    found = json.loads((output / "findings.json").read_text())
    for one in found:
        one["files"] = [Path(name).name for name in one["files"]]
    return code, {one["name"]: one for one in found}


TWO = ("--data.classes", "[background, cup]", "--data.images", "images/*.png", "--data.test_fraction", "0")


def test_values_of_no_class_are_counted_over_all_masks(tmp_path: Path) -> None:
    one, two = disc(), disc()
    one[:8, :8], two[:8, :4], two[12:14, 12:15] = 7, 7, 9
    masks = {"a": one, "b": two, **{name: disc() for name in "cdef"}}
    code, found = diagnose(write(tmp_path / "data", masks), *TWO)
    values = found["value-of-no-class"]
    assert (code, values["severity"]) == (1, "error")
    assert values["files"] == ["a.png", "b.png"]
    assert values["detail"] == (
        "102 pixels: 7 (96 pixels in 2 masks, nearest to cup), 9 (6 pixels in 1 mask, nearest to cup)"
    )
    assert values["figures"]["values"]["7"] == {"pixels": 96, "masks": 2, "nearest": "cup"}
    assert "--data.ignore_values '[7, 9]'" in values["remedy"]
    assert "soft-edges" not in found


def test_masks_in_colour_are_told_apart_from_files_that_cannot_be_read(tmp_path: Path) -> None:
    colours = np.array([(0, 0, 0), (255, 0, 0)], np.uint8)
    root = write(tmp_path / "data", {name: colours[disc()] for name in "abcdef"})
    code, found = diagnose(root, *TWO)
    assert code == 1
    assert found["colours-for-numbers"]["files"] == [f"{name}.png" for name in "abcdef"]
    typed = """--data.mask_values '["#000000", "#ff0000"]'"""
    assert typed in found["colours-for-numbers"]["detail"]
    assert "unreadable-mask" not in found
    code, found = diagnose(root, *TWO, "--data.mask_values", '["#000000", "#ff0000"]')
    assert "colours-for-numbers" not in found


def test_smoothed_edges_are_told_with_their_remedy(tmp_path: Path) -> None:
    soft = np.asarray(
        Image.fromarray(disc((0, 255)))
        .resize((20, 20), Image.Resampling.BILINEAR)
        .resize((40, 40), Image.Resampling.BILINEAR)
    )
    masks = {"a": soft, **{name: disc((0, 255)) for name in "bcdef"}}
    root = write(tmp_path / "data", masks)
    code, found = diagnose(root, *TWO, "--data.mask_values", "[0, 255]")
    assert (code, found["soft-edges"]["files"]) == (1, ["a.png"])
    assert "--data.mask_match nearest" in found["soft-edges"]["remedy"]
    assert "value-of-no-class" not in found
    code, found = diagnose(root, *TWO, "--data.mask_values", "[0, 255]", "--data.mask_match", "nearest")
    assert code == 0
    assert "soft-edges" not in found


def test_a_line_around_objects_is_no_smoothed_edge() -> None:
    """It has one value."""
    assert not is_smoothed(Strays(100, 100, 1, [StrayValue("9", 100, "cup")]))
    assert is_smoothed(Strays(100, 90, 3, []))
    assert not is_smoothed(Strays(100, 89, 3, []))


def test_strays_of_one_mask_by_hand() -> None:
    """A column between two classes is at their edge, a block in the middle of one is not, but for its rim."""
    mask = np.zeros((20, 30), np.uint8)
    mask[:, 15:] = 200
    mask[:, 14] = 90  # nearest to 0
    mask[5:15, 20:30] = 130  # nearest to 200: no edge
    codes = MaskCodes(["background", "cup"], [0, 200])
    with pytest.raises(StrayValueError) as caught:
        codes.decode(StoredMask(mask), Path("mask.png"))
    strays = caught.value.strays
    assert strays == Strays(120, 20, 2, [StrayValue("130", 100, "cup"), StrayValue("90", 20, "background")])
    assert from_text(strays.to_text()) == strays


@pytest.mark.parametrize("kind", ["pets", "carvana"])
def test_values_of_no_class_in_published_masks(kind: str, request: pytest.FixtureRequest) -> None:
    """Two files: 60 pixels of 9, and two of 7 in one of them; the nearest class is the last one."""
    root: Path = request.getfixturevalue(f"{kind}_copy")
    folder, class_name = {"pets": ("annotations/trimaps", "border"), "carvana": ("train_masks", "car")}[kind]
    names = sorted(path for path in (root / folder).iterdir() if not path.name.startswith("."))[:2]
    for number, path in enumerate(names):
        pixels = np.array(Image.open(path))
        pixels[:3, :10] = 9
        pixels[3, : 2 * number] = 7
        # A GIF would get other numbers for its colours.
        Image.fromarray(pixels).save(path, "PNG")
    data = {"pets": "OxfordPetsDataModule", "carvana": "CarvanaDataModule"}[kind]
    code, found = diagnose(root, data=data)
    wrong = found["value-of-no-class"]
    assert code == 1
    assert sorted(wrong["files"]) == [path.name for path in names]
    assert wrong["detail"] == (
        f"62 pixels: 9 (60 pixels in 2 masks, nearest to {class_name}), 7 (2 pixels in 1 mask, nearest to {class_name})"
    )
    assert wrong["remedy"].startswith("replace the masks with the published ones")
    assert "unreadable-mask" not in found


def test_an_ignored_number_stays() -> None:
    numbers = np.array([[1, 2], [255, 3]])
    names = ("a", "b", "c")
    assert class_indices(numbers, names, str, first=1, ignored=255).tolist() == [[0, 1], [255, 2]]
    with pytest.raises(StrayValueError, match=r"\[4, 255\]"):
        class_indices(np.array([[4, 255, 3]]), names, str, first=1)


def test_full_and_empty_masks_are_told_apart(tmp_path: Path) -> None:
    masks = {"full": np.ones((40, 40), np.uint8), "empty": np.zeros((40, 40), np.uint8)}
    masks |= {name: disc() for name in "abcd"}
    code, found = diagnose(write(tmp_path / "data", masks), *TWO)
    assert code == 0
    assert (found["full-mask"]["severity"], found["full-mask"]["files"]) == ("warning", ["full.png"])
    assert (found["one-class-only"]["severity"], found["one-class-only"]["files"]) == ("note", ["empty.png"])


def coco(root: Path, boxes: list[list[float]]) -> Path:
    """One picture of 40x30 pixels with boxes as left, top, width, height."""
    (root / "images").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "images/a.png")
    annotations = [{"id": i, "image_id": 1, "category_id": 1, "bbox": box} for i, box in enumerate(boxes)]
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "cup"}, {"id": 2, "name": "jug"}],
        "annotations": annotations,
    }
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def test_boxes_that_reach_out_of_their_picture_are_told(tmp_path: Path) -> None:
    root = coco(tmp_path / "data", [[0, 0, 40, 30], [1, 1, 40, 30], [30, 20, 15, 5], [100, 100, 10, 10]])
    _, found = diagnose(root, data="CocoObjectsDataModule")
    wrong = found["box-outside"]
    # The first fits, the second reaches out by one pixel, which depends on how pixels are counted.
    assert (wrong["severity"], wrong["count"], wrong["files"]) == ("warning", 2, ["a.png"])
    assert wrong["detail"] == "2 of 4 boxes in 1 picture; the box 30, 20, 45, 25 on 40x30 pixels"


def test_boxes_without_width_are_counted(tmp_path: Path) -> None:
    root = coco(tmp_path / "data", [[0, 0, 40, 30], [5, 5, 0, 10], [5, 5, 10, 0]])
    _, found = diagnose(root, data="CocoObjectsDataModule")
    assert (found["boxes-left-out"]["severity"], found["boxes-left-out"]["count"]) == ("note", 2)
    assert found["boxes-left-out"]["detail"] == "2 boxes without width or height"


def test_heads_of_pets_are_boxes_too(pets_copy: Path) -> None:
    xml = next((pets_copy / "annotations/xmls").glob("*.xml"))
    text = xml.read_text()
    start, end = text.index("<xmax>") + 6, text.index("</xmax>")
    xml.write_text(text[:start] + "4000" + text[end:])
    _, found = diagnose(pets_copy, data="OxfordPetLabelsDataModule")
    assert found["box-outside"]["files"] == [f"{xml.stem}.jpg"]
    xml.write_text(text[:start] + "nan" + text[end:])
    _, found = diagnose(pets_copy, data="OxfordPetLabelsDataModule")
    assert found["unreadable-boxes"]["files"] == [f"{xml.stem}.jpg"]


@pytest.mark.parametrize(
    ("number", "counts", "lines"),
    [
        (4, [4, 3, 0], ["each of 2 classes: 3 to 4 of 4 pictures to validate on"]),
        (3, [1, 1, 1], ["each of 3 classes: 1 of 3 pictures to validate on"]),
        (1, [1, 0, 0], ["a: 1 picture to validate on"]),
        (20, [20, 4, 5], ["b: 4 pictures to validate on"]),
        (20, [20, 0, 5], []),
        (5, [5, 5, 5], []),
    ],
)
def test_of_a_small_split_its_size_is_told_and_not_each_class(number: int, counts: list[int], lines: list[str]) -> None:
    assert list(labels.rare_in("val", number, "abc", counts)) == lines


def test_a_split_of_four_pictures_is_one_line(tmp_path: Path) -> None:
    root = write(tmp_path / "data", {f"{number:02}": disc() for number in range(40)})
    _, found = diagnose(root, *TWO, "--data.val_fraction", "0.1")
    assert found["rare-class-in-split"]["detail"] == "each of 2 classes: 4 of 4 pictures to validate on"
    assert found["rare-class-in-split"]["count"] == 1


def test_rare_classes_are_shares_of_what_is_counted_and_the_first_are_named(tmp_path: Path) -> None:
    """Twelve classes of four pictures, of which two validate or test."""
    noise = np.random.default_rng(0)
    for name in "abcdefghijkl":
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(4):
            picture = Image.fromarray(noise.integers(0, 256, (16, 16, 3), np.uint8))
            picture.save(tmp_path / "data" / name / f"{number}.png")
    _, found = diagnose(tmp_path / "data", data="ImageFolderDataModule")
    rare = found["rare-class"]
    assert rare["count"] == 12
    assert rare["detail"].startswith("a (2 pictures, 8.33% of the pictures), b (2 pictures")
    assert rare["detail"].endswith("j (2 pictures, 8.33% of the pictures), and 2 more")
    assert len(rare["figures"]["classes"]) == 12
    small = found["rare-class-in-split"]["detail"]
    assert small == (
        "each of 12 classes: 1 of 12 pictures to validate on; each of 12 classes: 1 of 12 pictures to test on"
    )
