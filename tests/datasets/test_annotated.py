"""Masks that are drawn from annotations, compared with masks computed by hand, for each format."""

import base64
import json
import shutil
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from lightning_seg.datasets.annotated import read_annotations
from lightning_seg.datasets.annotated.shapes import unpacked
from lightning_seg.datasets.annotated.voc import colour_of
from lightning_seg.errors import ConfigError, DataError

HEIGHT, WIDTH = 4, 6
SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]
"""Columns 1 to 3, rows 1 and 2."""
SMALL = [3, 2, 5, 2, 5, 4, 3, 4]
"""Columns 3 and 4, rows 2 and 3."""


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 60)).save(path)
    return path


def masks(
    root: Path, given: str, classes: Sequence[str] | None = None, images: str = "images/*"
) -> dict[str, list[list[int]]]:
    """By the stem of its picture."""
    annotations = read_annotations(root, given, images)
    pairs = annotations.pairs()
    dataset = annotations.dataset(pairs, annotations.choose(classes), None)
    return {pair.image.stem: dataset.read_mask(pair).tolist() for pair in pairs}


def coco_file(root: Path, annotations: list[dict[str, Any]], **changes: Any) -> None:
    """Two pictures, the second of which nobody has drawn anything on."""
    for name in ("a", "b"):
        picture(root / "images" / f"{name}.jpg")
    content = {
        "images": [
            {"id": number, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT}
            for number, name in enumerate("ab", 1)
        ],
        "annotations": [{"id": number, "image_id": 1, **one} for number, one in enumerate(annotations, 1)],
        "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}],
    }
    (root / "coco.json").write_text(json.dumps(content | changes))


NOTHING = [[0] * WIDTH for _ in range(HEIGHT)]


# COCO


def test_outlines_of_coco_cover_the_pixels_between_their_sides(tmp_path: Path) -> None:
    """The smaller object covers the larger one, wherever it stands in the file; cat has the lower id."""
    coco_file(tmp_path, [{"category_id": 7, "segmentation": [SMALL]}, {"category_id": 3, "segmentation": [SQUARE]}])
    assert masks(tmp_path, "coco.json") == {
        "a": [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 1, 1, 2, 2, 0], [0, 0, 0, 2, 2, 0]],
        "b": NOTHING,
    }


def test_of_two_equal_objects_the_later_one_covers(tmp_path: Path) -> None:
    coco_file(tmp_path, [{"category_id": 7, "segmentation": [SMALL]}, {"category_id": 3, "segmentation": [SMALL]}])
    assert masks(tmp_path, "coco.json")["a"][2] == [0, 0, 0, 1, 1, 0]


def test_several_outlines_are_one_object(tmp_path: Path) -> None:
    parts = [[0, 0, 1, 0, 1, 1, 0, 1], [5, 3, 6, 3, 6, 4, 5, 4]]
    coco_file(tmp_path, [{"category_id": 3, "segmentation": parts}])
    assert masks(tmp_path, "coco.json")["a"] == [[1, 0, 0, 0, 0, 0], [0] * 6, [0] * 6, [0, 0, 0, 0, 0, 1]]


RING = np.array([[1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.uint8)
"""With a hole."""
RING_COUNTS = [0, 3, 1, 1, 1, 1, 1, 3, 13]
"""Column by column, from nothing on."""


def compressed(mask: NDArray[np.uint8]) -> str:
    text: bytes = coco.encode(np.asfortranarray(mask))["counts"]
    return text.decode()


@pytest.mark.parametrize("counts", [RING_COUNTS, compressed(RING)], ids=["numbers", "text"])
def test_run_lengths_keep_holes(tmp_path: Path, counts: Any) -> None:
    runs = {"size": [HEIGHT, WIDTH], "counts": counts}
    coco_file(tmp_path, [{"category_id": 3, "segmentation": runs}])
    assert masks(tmp_path, "coco.json")["a"] == RING.tolist()


def test_compressed_run_lengths_are_those_that_pycocotools_reads() -> None:
    for seed in range(20):
        mask = (np.random.default_rng(seed).random((37, 41)) < 0.1 + 0.04 * seed).astype(np.uint8)
        flat = mask.ravel(order="F")
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
        assert unpacked(compressed(mask)) == np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()


def test_crowds_count_nowhere_and_objects_cover_them(tmp_path: Path) -> None:
    everything = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}
    crowd = {"category_id": 3, "segmentation": everything, "iscrowd": 1}
    coco_file(tmp_path, [{"category_id": 7, "segmentation": [SMALL]}, crowd])
    covered = [255, 255, 255, 2, 2, 255]
    assert masks(tmp_path, "coco.json")["a"] == [[255] * 6, [255] * 6, covered, covered]


def test_chosen_classes_have_the_order_of_their_names_and_the_others_are_background(tmp_path: Path) -> None:
    coco_file(tmp_path, [{"category_id": 7, "segmentation": [SMALL]}, {"category_id": 3, "segmentation": [SQUARE]}])
    found = masks(tmp_path, "coco.json", ["dog", "background"])["a"]
    assert found == [[1] * 6, [1] * 6, [1, 1, 1, 0, 0, 1], [1, 1, 1, 0, 0, 1]]


def test_a_background_of_the_file_is_the_background(tmp_path: Path) -> None:
    categories = [{"id": 3, "name": "cat"}, {"id": 7, "name": "background"}]
    drawn = [{"category_id": 3, "segmentation": [SQUARE]}, {"category_id": 7, "segmentation": [SMALL]}]
    coco_file(tmp_path, drawn, categories=categories)
    annotations = read_annotations(tmp_path, "coco.json", "images/*")
    assert annotations.choose(None).names == ("background", "cat")
    assert masks(tmp_path, "coco.json")["a"][2] == [0, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["background", "cow"], "has no label cow; it has cat, dog; give --data.classes null"),
        (["cow", "cat"], "has no label cow"),
        (["dgo", "background"], "has no label dgo"),
        (["cat", "dog"], "none stands for what is no object; add background"),
        (["background"], "give 2 to 255 names"),
    ],
)
def test_classes_that_are_no_labels(tmp_path: Path, classes: list[str], message: str) -> None:
    coco_file(tmp_path, [{"category_id": 7, "segmentation": [SMALL]}])
    with pytest.raises(ConfigError, match=message):
        masks(tmp_path, "coco.json", classes)


FAR = "annotation 1 has an outline with .*, far outside of its picture of 6x4 pixels"
RUNS = "annotation 1 has run lengths that are not those of 4 x 6 pixels"


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[0, 0, 1e9, 0, 1e9, 1e9]], FAR),
        ([[0, 0, float("nan"), 0, 3, 3]], FAR),
        ([[0, 0, float("inf"), 0, 3, 3]], FAR),
        ([[0, 0, 5, 5]], "has an outline of 4 numbers, and three points have x and y each"),
        ([[0, 0, 5, 5, 3, 3, 3]], "has an outline of 7 numbers"),
        ([["a"] * 6], "has an outline that is no list of numbers"),
        ([3], "has an outline that is no list of numbers"),
        ([[[0, 0], [1, 1], [2, 2]] * 2], "has an outline that is no list of numbers"),
        ([[]], "has an outline of 0 numbers"),
        ({"size": [HEIGHT, WIDTH], "counts": [1]}, RUNS),
        ({"size": [HEIGHT, WIDTH], "counts": [1, 10**9]}, RUNS),
        ({"size": [HEIGHT, WIDTH], "counts": [25, -1]}, RUNS),
        ({"size": [HEIGHT, WIDTH], "counts": [12.0, 12.0]}, RUNS),
        ({"size": [HEIGHT, WIDTH], "counts": "ooooooooo1"}, RUNS),
        ({"size": [HEIGHT, WIDTH], "counts": ""}, RUNS),
        ({"size": [HEIGHT, WIDTH], "counts": "\u20ac"}, RUNS),
        ({"size": [HEIGHT, WIDTH]}, RUNS),
        (
            {"size": [WIDTH, HEIGHT], "counts": RING_COUNTS},
            r"size \[6, 4\], and its picture has \[4, 6\] \(height, width",
        ),
        ({"size": [10**6, 10**6], "counts": [10**12]}, "has run lengths of size"),
    ],
)
def test_hostile_segmentations_are_one_line(tmp_path: Path, segmentation: Any, message: str) -> None:
    """pycocotools would ask for all memory, never end, or leave memory as it was."""
    coco_file(tmp_path, [{"category_id": 3, "segmentation": segmentation}])
    with pytest.raises(DataError, match=message) as error:
        masks(tmp_path, "coco.json")
    assert str(tmp_path / "coco.json") in str(error.value)
    assert "\n" not in str(error.value)


def test_boxes_alone_are_no_masks(tmp_path: Path) -> None:
    coco_file(tmp_path, [{"category_id": 3, "bbox": [1, 1, 2, 2]}])
    with pytest.raises(DataError, match="none of 1 annotations has a segmentation, and boxes alone are no masks"):
        masks(tmp_path, "coco.json")
    coco_file(tmp_path, [{"category_id": 3, "bbox": [1, 1, 2, 2]}, {"category_id": 3, "segmentation": [SMALL]}])
    with pytest.raises(DataError, match="annotation 1 has no outline; draw one, or take it out"):
        masks(tmp_path, "coco.json")


def test_pictures_of_another_size_than_annotated(tmp_path: Path) -> None:
    coco_file(tmp_path, [{"category_id": 3, "segmentation": [SMALL]}])
    picture(tmp_path / "images" / "a.jpg", (8, 4))
    with pytest.raises(DataError, match=r"images/a\.jpg has 6x4 pixels there, and its file 8x4"):
        masks(tmp_path, "coco.json")


def test_pictures_may_lie_beside_the_file(tmp_path: Path) -> None:
    coco_file(tmp_path, [{"category_id": 3, "segmentation": [SQUARE]}])
    (tmp_path / "images").rename(tmp_path / "export")
    (tmp_path / "coco.json").rename(tmp_path / "export" / "coco.json")
    assert masks(tmp_path, "export/coco.json")["a"][1] == [0, 1, 1, 1, 0, 0]


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    coco_file(tmp_path, [{"category_id": 3, "segmentation": [SQUARE]}])
    (tmp_path / "images" / "b.jpg").unlink()
    with pytest.raises(DataError, match=r"1 listed names have no picture: b\.jpg; restore them, or name their folder"):
        masks(tmp_path, "coco.json")


def test_another_json_file_is_called_what_it_is(tmp_path: Path) -> None:
    labelme(tmp_path, [])
    with pytest.raises(DataError, match=r"no file of COCO's masks, .* it is one of LabelMe's, .* give their folder"):
        read_annotations(tmp_path, "json/a.json", "images/*")
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match=r"no file of COCO's masks, .*KeyError: 'images'.*; give another one"):
        read_annotations(tmp_path, "other.json", "images/*")


@pytest.mark.parametrize("name", ["Background", "bg", "\ubc30\uacbd", "_background_"])
def test_the_background_is_known_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    categories = [{"id": 3, "name": "cat"}, {"id": 7, "name": name}]
    drawn = [{"category_id": 3, "segmentation": [SQUARE]}, {"category_id": 7, "segmentation": [SMALL]}]
    coco_file(tmp_path, drawn, categories=categories)
    assert masks(tmp_path, "coco.json")["a"][2] == [0, 1, 1, 0, 0, 0]
    assert masks(tmp_path, "coco.json", [name, "cat"])["a"][2] == [0, 1, 1, 0, 0, 0]
    # As a class of one's own, whatever the file calls it.
    assert masks(tmp_path, "coco.json", ["cat", "Void"])["a"][2] == [1, 0, 0, 1, 1, 1]


# Accents as one character and as two

ONE, TWO = "caf\u00e9", "cafe\u0301"
SPELT = [(ONE, ONE), (ONE, TWO), (TWO, ONE), (TWO, TWO)]


@pytest.mark.parametrize(("label", "name"), SPELT)
def test_labels_of_labelme_that_look_the_same(tmp_path: Path, label: str, name: str) -> None:
    labelme(tmp_path, [shape(label, "rectangle", [[1, 1], [4, 3]])])
    for classes in (None, ["background", name]):
        assert masks(tmp_path, "json", classes)["a"][1] == [0, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(("label", "name"), SPELT)
def test_names_and_files_of_yolo_that_look_the_same(tmp_path: Path, label: str, name: str) -> None:
    """Of the picture, its labels, their folders, a list and the class."""
    picture(tmp_path / "images" / label / f"{label}.jpg")
    (tmp_path / "labels" / name).mkdir(parents=True)
    (tmp_path / "labels" / name / f"{name}.txt").write_text("0 0.5 0.5 1 0.5 1 1 0.5 1\n")
    (tmp_path / "train.txt").write_text(f"images/{name}/{name}.jpg\n")
    for train in ("train.txt", f"images/{name}"):
        (tmp_path / "data.yaml").write_text(f"train: {train}\nnames: [{label}]\n", encoding="utf-8")
        for classes in (None, ["background", name]):
            assert masks(tmp_path, "data.yaml", classes)[label][2] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(("label", "name"), SPELT)
def test_names_and_files_of_voc_that_look_the_same(tmp_path: Path, label: str, name: str) -> None:
    voc(tmp_path, Image.fromarray(np.full((HEIGHT, WIDTH, 3), (10, 20, 30), np.uint8)), label)
    place = tmp_path / "VOC"
    (place / "JPEGImages" / f"{label}.jpg").rename(place / "JPEGImages" / f"{name}.jpg")
    (place / "labelmap.txt").write_text(f"{label}:10,20,30::\nother:1,2,3::\n")
    expected = {name: [[1] * WIDTH] * HEIGHT}
    assert masks(tmp_path, "VOC", ["background", name]) == masks(tmp_path, "VOC") == expected
    (place / "ImageSets" / "Segmentation").mkdir(parents=True)
    (place / "ImageSets" / "Segmentation" / "some.txt").write_text(f"{label}\n")
    annotations = read_annotations(tmp_path, "VOC", "images/*")
    assert masks(tmp_path, "VOC") == expected
    assert annotations.unlabelled(annotations.pairs()) == []
    # Left out, its colour is the background's.
    assert masks(tmp_path, "VOC", ["background", "other"]) == {name: NOTHING}
    (place / "labelmap.txt").write_text(f"{ONE}:10,20,30::\n{TWO}:1,2,3::\n")
    with pytest.raises(DataError, match=f"line 2: {ONE} stands there twice"):
        masks(tmp_path, "VOC")


# YOLO


def yolo(root: Path, lines: str, yaml: str = "train: images/train\nnames: [dog, cat]\n") -> None:
    for name in ("a", "b"):
        picture(root / "images" / "train" / f"{name}.jpg")
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "a.txt").write_text(lines)
    (root / "data.yaml").write_text(yaml)


def test_outlines_of_yolo_are_shares_of_the_picture(tmp_path: Path) -> None:
    """The cat is columns 3 to 5, rows 2 and 3; a picture without a file holds nothing."""
    yolo(tmp_path, "1 0.5 0.5 1 0.5 1 1 0.5 1\n\n0 0 0 0.5 0 0.5 0.25 0 0.25\n")
    expected = [[1, 1, 1, 0, 0, 0], [0] * 6, [0, 0, 0, 2, 2, 2], [0, 0, 0, 2, 2, 2]]
    assert masks(tmp_path, "data.yaml") == {"a": expected, "b": NOTHING}


def test_splits_of_yolo_are_those_of_its_file(tmp_path: Path) -> None:
    yolo(tmp_path, "", "path: .\ntrain: [images/train]\nval: val.txt\nnames:\n  0: dog\n  1: cat\n")
    picture(tmp_path / "images" / "more" / "c.png")
    (tmp_path / "val.txt").write_text("./images/more/c.png\n")
    pairs = read_annotations(tmp_path, "data.yaml", "images/*").pairs()
    assert [(pair.image.stem, pair.split) for pair in pairs] == [("c", "val"), ("a", "train"), ("b", "train")]


def test_one_split_alone_is_divided(tmp_path: Path) -> None:
    yolo(tmp_path, "")
    annotations = read_annotations(tmp_path, "data.yaml", "images/*")
    pairs = annotations.pairs()
    assert {pair.split for pair in pairs} == {None}
    assert [path.stem for path in annotations.unlabelled(pairs)] == ["b"]


def test_names_of_yolo_keep_their_text(tmp_path: Path) -> None:
    """YAML would read two truth values, a number, nothing and octal digits."""
    names = ["no", "yes", "1.50", "null", "02146"]
    for given in (f"[{', '.join(names)}]", "".join(f"\n  {number}: {name}" for number, name in enumerate(names))):
        shutil.rmtree(tmp_path / "labels", ignore_errors=True)
        yolo(tmp_path, "", f"train: images/train\nval:\ntest: null\nnames: {given}\n")
        assert read_annotations(tmp_path, "data.yaml", "images/*").choose(None).names == ("background", *names)


@pytest.mark.parametrize("line", ["images\\more\\c.png", "  images/more/c.png \t", ".\\images/more/c.png\r"])
def test_lists_of_yolo_may_have_backslashes_and_blanks(tmp_path: Path, line: str) -> None:
    yolo(tmp_path, "", "train: images\\train\nval: val.txt\nnames: [dog, cat]\n")
    picture(tmp_path / "images" / "more" / "c.png")
    (tmp_path / "val.txt").write_text(f"{line}\n")
    pairs = read_annotations(tmp_path, "data.yaml", "images/*").pairs()
    train = [(f"images/train/{name}.jpg", "train") for name in "ab"]
    assert [(pair.name, pair.split) for pair in pairs] == [("images/more/c.png", "val"), *train]


def test_pictures_of_yolo_without_any_labels_are_refused(tmp_path: Path) -> None:
    yolo(tmp_path, "")
    (tmp_path / "labels").rename(tmp_path / "elsewhere")
    message = r"data\.yaml: none of 2 pictures has a file of labels, the first would be .*labels/train/a\.txt; restore"
    with pytest.raises(DataError, match=message):
        masks(tmp_path, "data.yaml")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0 0.5 0.5 0.2 0.2\n", "line 1 has 4 numbers behind its class, which is a box and no outline"),
        ("0 1 1 2 1 2 2\n", "line 1 has 2, and YOLO's coordinates are shares of the picture from 0 to 1"),
        ("\n0 nan 0 1 0 1 1\n", "line 2 has nan, and YOLO's coordinates"),
        ("0 0 0 1 0 1 1 0.5\n", "line 1 has an outline of 7 numbers"),
        ("2 0 0 1 0 1 1\n", "line 1 has class 2, which names of .*data.yaml do not have"),
        ("dog 0 0 1 0 1 1\n", "line 1 is no class number with coordinates"),
        ("0 a b c d e f\n", "line 1 is no class number with coordinates"),
    ],
)
def test_wrong_lines_of_yolo_are_named(tmp_path: Path, lines: str, message: str) -> None:
    yolo(tmp_path, lines)
    with pytest.raises(DataError, match=message) as error:
        masks(tmp_path, "data.yaml")
    assert "labels/train/a.txt" in str(error.value)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("train: images/train\n", "names are no names of classes; write names: "),
        ("train: images/train\nnames: cat\n", "names are no names of classes"),
        ("train: images/train\nnames: {a: b}\n", "names are no names of classes"),
        ("names: [cat, dog]\n", "train, val and test name no picture"),
        ("train: nowhere\nnames: [cat, dog]\n", "correct train in"),
        ("train: images/train\nval: images/train\nnames: [cat, dog]\n", "is in train and in val"),
        ("- 1\n", "names are no names of classes"),
        ("{", "cannot be read as YAML of YOLO"),
    ],
)
def test_wrong_files_of_yolo_are_one_line(tmp_path: Path, yaml: str, message: str) -> None:
    yolo(tmp_path, "", yaml)
    with pytest.raises(DataError, match=message) as error:
        masks(tmp_path, "data.yaml")
    assert "\n" not in str(error.value)


# LabelMe


def png(mask: NDArray[np.uint8]) -> str:
    buffer = BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def labelme(root: Path, shapes: Any, image: str = "..\\images\\a.jpg", **changes: Any) -> None:
    picture(root / "images" / "a.jpg")
    (root / "json").mkdir(exist_ok=True)
    content = {"shapes": shapes, "imagePath": image, "imageHeight": HEIGHT, "imageWidth": WIDTH, **changes}
    (root / "json" / "a.json").write_text(json.dumps(content))


def shape(label: str, kind: str | None, points: Any, **others: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": points, **others}


def test_shapes_of_labelme(tmp_path: Path) -> None:
    """A rectangle by two corners in any order, a polygon, a circle of two pixels each way, and a mask."""
    shapes = [
        shape("box", "rectangle", [[3, 4], [0, 2]]),
        shape("leaf", None, [[4, 0], [6, 0], [6, 1], [4, 1]]),
        shape("disc", "circle", [[5, 3], [5.9, 3]]),
        shape("blob", "mask", [[0, 0], [1, 1]], mask=png(np.array([[255, 0], [255, 255]], np.uint8))),
    ]
    labelme(tmp_path, shapes)
    # In alphabetical order: blob, box, disc, leaf.
    expected = [[1, 0, 0, 0, 4, 4], [1, 1, 0, 0, 0, 0], [2, 2, 2, 0, 3, 3], [2, 2, 2, 0, 3, 3]]
    assert masks(tmp_path, "json") == {"a": expected}


def test_background_and_ignored_labels_of_labelme(tmp_path: Path) -> None:
    """A hole is a smaller shape of the background."""
    corners = [[1, 1], [5, 4]]
    hole, ignored = [[2, 2], [3, 3]], [[0, 0], [1, 1]]
    kinds = [("cat", corners), ("_background_", hole), ("__ignore__", ignored)]
    labelme(tmp_path, [shape(label, "rectangle", points) for label, points in kinds])
    expected = [[255, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 0], [0, 1, 0, 1, 1, 0], [0, 1, 1, 1, 1, 0]]
    assert masks(tmp_path, "json") == {"a": expected}
    assert read_annotations(tmp_path, "json", "images/*").choose(None).names == ("background", "cat")


def test_names_do_not_depend_on_where_the_dataset_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits are drawn by them."""
    labelme(tmp_path / "own", [shape("cat", "rectangle", [[1, 1], [5, 4]])])
    monkeypatch.chdir(tmp_path)
    for root in (Path("own"), tmp_path / "own"):
        assert [pair.name for pair in read_annotations(root, "json", "images/*").pairs()] == ["images/a.jpg"]


def test_a_picture_that_moved_is_found_by_its_name(tmp_path: Path) -> None:
    labelme(tmp_path, [shape("cat", "rectangle", [[1, 1], [5, 4]])], image="C:\\photos\\a.jpg")
    assert masks(tmp_path, "json")["a"][0] == [0] * WIDTH
    with pytest.raises(DataError, match=r"no picture .*, and none of its name in .*elsewhere; restore it"):
        masks(tmp_path, "json", images="elsewhere/*")


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (shape("cat", "line", [[0, 0], [1, 1]]), r"shape 1 \(cat\) is a line, which has no area; draw a polygon"),
        (shape("cat", "point", [[0, 0]]), "is a point, which has no area"),
        (shape("cat", "rectangle", [[0, 0]]), "has points that are none of a rectangle"),
        (shape("cat", "circle", [[0, 0], [float("nan"), 1]]), "has points that are none of a circle"),
        (shape("cat", "polygon", [[0, 0], [1, 1]]), "has an outline of 4 numbers"),
        (shape("cat", "polygon", "text"), "has points that are none of a polygon"),
        (shape("cat", "polygon", [[0, 0], [1e12, 0], [0, 1]]), "far outside of its picture"),
        (shape("cat", "mask", [[0, 0], [1, 1]], mask="no base64"), "has a mask that is no PNG within its picture"),
        (shape("cat", "mask", [[0, 0], [1, 1]]), "has a mask that is no PNG within its picture"),
        (
            shape("cat", "mask", [[5, 3], [6, 4]], mask=png(np.ones((2, 2), np.uint8))),
            "has a mask that leaves its picture",
        ),
        (shape("cat", "mask", [[0, 0], [9, 9]], mask=png(np.ones((9, 9), np.uint8))), "no PNG within its picture"),
    ],
)
def test_wrong_shapes_of_labelme_are_named(tmp_path: Path, one: dict[str, Any], message: str) -> None:
    labelme(tmp_path, [one])
    with pytest.raises(DataError, match=message) as error:
        masks(tmp_path, "json")
    assert "json/a.json: shape 1" in str(error.value)


def test_files_that_are_not_labelme_s_are_one_line(tmp_path: Path) -> None:
    labelme(tmp_path, [])
    for text in (
        "{",
        "[]",
        '{"shapes": []}',
        '{"shapes": [], "imagePath": null}',
        '{"shapes": [], "imagePath": ""}',
        '{"shapes": [{}], "imagePath": "a"}',
        "[" * 100_000,
    ):
        (tmp_path / "json" / "a.json").write_text(text)
        with pytest.raises(DataError, match="no file of LabelMe, with shapes and imagePath") as error:
            masks(tmp_path, "json")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("height", "width", "is_right"), [("4", "6", True), (4.0, 6, True), (4, "x", False), (4, 7, 0)]
)
def test_sizes_of_labelme_may_be_text(tmp_path: Path, height: Any, width: Any, is_right: bool) -> None:
    labelme(tmp_path, [shape("cat", "rectangle", [[0, 0], [6, 4]])], imageHeight=height, imageWidth=width)
    if is_right:
        assert masks(tmp_path, "json") == {"a": [[1] * WIDTH] * HEIGHT}
        return
    with pytest.raises(DataError, match=rf"has {width}x4 pixels there, and .*a\.jpg 6x4"):
        masks(tmp_path, "json")


# Pascal VOC


def voc(root: Path, mask: Image.Image, name: str = "a") -> None:
    picture(root / "VOC" / "JPEGImages" / f"{name}.jpg")
    (root / "VOC" / "SegmentationClass").mkdir(parents=True, exist_ok=True)
    mask.save(root / "VOC" / "SegmentationClass" / f"{name}.png")


def test_the_colours_of_voc() -> None:
    """As its development kit prints them."""
    expected = {0: "#000000", 1: "#800000", 2: "#008000", 3: "#808000", 4: "#000080", 8: "#400000", 15: "#c08080"}
    assert {number: colour_of(number) for number in expected} == expected
    assert (colour_of(20), colour_of(255)) == ("#004080", "#e0e0c0")


def indexed(numbers: NDArray[np.uint8]) -> Image.Image:
    mask = Image.fromarray(numbers)
    mask.putpalette(b"".join(bytes.fromhex(colour_of(number)[1:]) for number in range(256)))
    return mask


CAT_ON_SOFA = np.array([[0, 0, 0, 0, 0, 0], [0, 8, 8, 255, 18, 18], [0, 8, 8, 255, 18, 18], [0] * 6], np.uint8)


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_class_masks_of_voc(tmp_path: Path, mode: str) -> None:
    """Cat is 8 and sofa 18 of the published classes; borders count nowhere."""
    voc(tmp_path, indexed(CAT_ON_SOFA).convert(mode) if mode == "RGB" else indexed(CAT_ON_SOFA))
    assert masks(tmp_path, "VOC") == {"a": CAT_ON_SOFA.tolist()}
    assert masks(tmp_path, "VOC", ["background", "cat"])["a"][1] == [0, 1, 1, 255, 0, 0]


def test_other_classes_of_voc_stand_in_its_labelmap(tmp_path: Path) -> None:
    voc(tmp_path, Image.fromarray(np.full((HEIGHT, WIDTH, 3), (10, 20, 30), np.uint8)))
    (tmp_path / "VOC" / "labelmap.txt").write_text("# label:color_rgb:parts:actions\nleaf:10,20,30::\nstem:1,2,3::\n")
    annotations = read_annotations(tmp_path, "VOC", "images/*")
    assert annotations.choose(None).names == ("background", "leaf", "stem")
    assert masks(tmp_path, "VOC") == {"a": [[1] * WIDTH] * HEIGHT}
    (tmp_path / "VOC" / "labelmap.txt").write_text("leaf:10,20\n")
    with pytest.raises(DataError, match=r"labelmap\.txt, line 1: leaf:10,20 is no NAME:RED,GREEN,BLUE::"):
        masks(tmp_path, "VOC")


def test_lists_of_voc_are_splits(tmp_path: Path) -> None:
    for name in "abc":
        voc(tmp_path, indexed(CAT_ON_SOFA), name)
    lists = tmp_path / "VOC" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n")
    (lists / "val.txt").write_text("b\n")
    pairs = read_annotations(tmp_path, "VOC", "images/*").pairs()
    assert [(pair.image.stem, pair.split) for pair in pairs] == [("a", "train"), ("b", "val")]
    (lists / "val.txt").write_text("b\nd\n")
    with pytest.raises(DataError, match="1 of 3 masks have no picture in JPEGImages, such as d"):
        read_annotations(tmp_path, "VOC", "images/*").pairs()


def test_unlabelled_pictures_of_voc_are_those_without_a_mask(tmp_path: Path) -> None:
    """b is listed and has none, c has one and is on no list, d has neither."""
    place = tmp_path / "VOC"
    for name in "ac":
        voc(tmp_path, indexed(CAT_ON_SOFA), name)
    for name in "bd":
        picture(place / "JPEGImages" / f"{name}.jpg")
    (place / "ImageSets" / "Segmentation").mkdir(parents=True)
    (place / "ImageSets" / "Segmentation" / "all.txt").write_text("a\nb\n")
    annotations = read_annotations(tmp_path, "VOC", "images/*")
    pairs = annotations.pairs()
    assert [path.stem for path in annotations.unlabelled(pairs)] == ["b", "d"]
    assert [path.stem for path in annotations.unlisted(pairs)] == ["c", "d"]
    assert "no mask in SegmentationClass" in annotations.why_unlisted()


def test_a_picture_of_voc_has_one_split(tmp_path: Path) -> None:
    voc(tmp_path, indexed(CAT_ON_SOFA))
    lists = tmp_path / "VOC" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for name in ("train", "val", "trainval"):
        (lists / f"{name}.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"val\.txt: a is in train, too; take it off one of the lists"):
        masks(tmp_path, "VOC")


# Which format it is


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere", r"nowhere: no such file or folder; give --data\.annotations a \.json file \(COCO\)"),
        ("empty", "empty: no annotations of a known layout"),
        ("notes.txt", r"notes\.txt: no annotations of a known layout"),
        ("broken.json", "no file of COCO's masks, with images, annotations and categories"),
    ],
)
def test_what_is_no_annotation_is_one_line(tmp_path: Path, given: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "broken.json").write_text("[")
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path, given, "images/*")
