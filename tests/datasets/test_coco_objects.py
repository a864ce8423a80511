"""Files of COCO's boxes, written by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.datasets.coco_annotations import LeftOut
from lightning_seg.datasets.coco_objects import CocoObjectsDataset
from lightning_seg.errors import DataError

# Ids are neither ordered nor without gaps, as published.
CONTENT: dict[str, Any] = {
    "images": [
        {"id": 40, "file_name": "b.png", "width": 20, "height": 10},
        {"id": 7, "file_name": "a.png", "width": 8, "height": 8},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 40, "category_id": 18, "bbox": [2, 3, 4.5, 6], "iscrowd": 0},
        {"id": 2, "image_id": 40, "category_id": 17, "bbox": [10, 0, 10, 10]},
        {"id": 3, "image_id": 40, "category_id": 17, "bbox": [0, 0, 20, 10], "iscrowd": 1},
    ],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for one in CONTENT["images"]:
        Image.new("RGB", (one["width"], one["height"])).save(tmp_path / "images" / one["file_name"])
    return tmp_path


def read(root: Path, content: object = CONTENT, **options: Any) -> CocoObjectsDataset:
    (root / "some.json").write_text(json.dumps(content))
    return CocoObjectsDataset(root / "some.json", root / "images", **options)


def changed(part: str, place: int, **values: object) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(CONTENT))
    content[part][place] |= values
    return content


def test_boxes_and_labels(root: Path) -> None:
    dataset = read(root)
    assert dataset.class_names == ("cat", "dog")
    first, second = dataset[0], dataset[1]
    assert first["path"] == str(root / "images" / "b.png")
    assert first["image"].shape == (3, 10, 20)
    np.testing.assert_array_equal(first["boxes"], [[2, 3, 6.5, 9], [10, 0, 20, 10]])
    assert first["box_labels"].tolist() == [1, 0]
    assert (second["boxes"].shape, second["box_labels"].shape) == ((0, 4), (0,))


def test_categories_of_one_name_cannot_be_told_apart(root: Path) -> None:
    with pytest.raises(DataError, match=r"some\.json: two categories are called cat; give each a name of its own$"):
        read(root, changed("categories", 0, name="cat"))
    with pytest.raises(DataError, match=r"a category '' is no name; give each class a text of its own$"):
        read(root, changed("categories", 0, name=""))


def test_chosen_categories_alone_count(root: Path) -> None:
    dataset = read(root, categories=["dog"])
    assert dataset.class_names == ("dog",)
    assert dataset[0]["box_labels"].tolist() == [0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], r"no file of COCO's boxes, with images, annotations and categories \(TypeError"),
        ({"images": []}, r"no file of COCO's boxes.*KeyError: 'categories'"),
        (CONTENT | {"images": [], "annotations": []}, "the file names no picture"),
        (changed("annotations", 1, bbox=[1, 2, 3]), "no file of COCO's boxes"),
        (changed("annotations", 1, bbox=[1, 2, -1, 3]), r"annotation 2 has \[1, 2, -1, 3\], which is no box; take it"),
        (changed("annotations", 1, bbox=[1, 2, 5, float("inf")]), r"annotation 2 has \[.*inf\], which is no box"),
        (changed("annotations", 1, bbox=[1, 2, 1e300, 3]), r"annotation 2 has \[1, 2, 1e\+300, 3\], which is no box"),
        (changed("annotations", 1, bbox=[-1e39, 2, 5, 3]), "annotation 2 has .* which is no box"),
        (changed("annotations", 1, bbox="1234"), "annotation 2 has 1234, which is no box"),
        (changed("annotations", 1, bbox=[1, 2, 10**400, 3]), "no file of COCO's boxes.*OverflowError"),
        (changed("annotations", 0, image_id=5), "annotation 1 has image_id 5, which is not in the file"),
        (changed("annotations", 0, category_id=5), "annotation 1 has category_id 5, which is not in the file"),
        (changed("images", 0, file_name="c.png"), "1 listed names have no picture: c.png; restore them, or name their"),
    ],
)
def test_wrong_files(root: Path, content: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(root, content)


def test_what_is_not_there(root: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.json: no such file; .* or try --data\.source synthetic"):
        CocoObjectsDataset(root / "nowhere.json", root / "images")
    with pytest.raises(DataError, match="there is no category horse; it has cat, dog"):
        read(root, categories=["horse"])
    (root / "cut.json").write_text('{"images": [')
    with pytest.raises(DataError, match=r"cut\.json: no file of COCO's boxes"):
        CocoObjectsDataset(root / "cut.json", root / "images")


@pytest.mark.parametrize("box", [[1, 2, 0, 3], [1, 2, 3, 0], [29.6, 38.3, 1.03, 0.0]])
def test_boxes_without_width_or_height_are_left_out_and_counted(
    box: list[float], root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = read(root, CONTENT)
    part = read(root, changed("annotations", 1, bbox=box))
    assert sum(len(picture.boxes) for picture in part.records) == sum(len(one.boxes) for one in whole.records) - 1
    assert [message.partition(": ")[2] for message in caplog.messages] == ["left out are 1 box without width or height"]


def test_what_is_left_out_is_known_to_the_dataset(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The file of CONTENT has a box around a crowd; classes that are not chosen do not count."""
    empty = [
        {"id": 4, "image_id": 7, "category_id": 17},
        {"id": 5, "image_id": 7, "category_id": 17, "bbox": []},
        {"id": 6, "image_id": 7, "category_id": 18, "bbox": None},
        {"id": 7, "image_id": 7, "category_id": 17, "bbox": [1, 1, 0, 0]},
    ]
    dataset = read(root, CONTENT | {"annotations": [*CONTENT["annotations"], *empty]})
    assert dataset.left_out == (1, 3, 1)
    assert dataset.subset([0]).left_out == LeftOut(flat=1, without_box=3, crowds=1)
    (line,) = caplog.messages
    assert line.endswith("some.json: left out are 1 box without width or height and 3 annotations without bbox")
    assert [len(one.boxes) for one in dataset.records] == [2, 0]
    assert read(root, CONTENT, categories=["dog"]).left_out == (0, 0, 0)


@pytest.mark.parametrize("as_id", [str, float, lambda number: f"{number:04d}", lambda number: f"x{number}"])
def test_ids_may_be_strings(as_id: Callable[[int], object], root: Path) -> None:
    content: dict[str, Any] = json.loads(json.dumps(CONTENT))
    for part in ("images", "categories", "annotations"):
        for one in content[part]:
            one |= {key: as_id(one[key]) for key in ("id", "image_id", "category_id") if key in one}
    dataset, expected = read(root, content), read(root, CONTENT)
    assert dataset.class_names == expected.class_names == ("cat", "dog")
    for one, other in zip(dataset.records, expected.records, strict=True):
        assert one.image == other.image
        np.testing.assert_array_equal(one.boxes, other.boxes)
        assert one.labels.tolist() == other.labels.tolist()


def test_ids_may_be_strings_in_one_place_and_numbers_in_another(root: Path) -> None:
    dataset = read(root, changed("images", 0, id="40"))
    assert [len(one.boxes) for one in dataset.records] == [2, 0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-8"])
def test_a_byte_order_mark_and_utf_16_are_read(encoding: str, root: Path) -> None:
    content = changed("categories", 1, name="chaté")
    (root / "some.json").write_text(json.dumps(content, ensure_ascii=False), encoding)
    assert CocoObjectsDataset(root / "some.json", root / "images").class_names == ("chaté", "dog")


NUMBERS = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("annotation", [0, 2])
def test_a_number_that_is_none_is_refused_wherever_it_stands(
    annotation: int, place: int, number: float, root: Path
) -> None:
    """Also around a crowd, and of a class that is not chosen."""
    box: list[float] = [1, 2, 3, 4]
    box[place] = number
    with pytest.raises(
        DataError, match=rf"annotation {annotation + 1} has \[.*{number}.*\], which is no box; take it out"
    ):
        read(root, changed("annotations", annotation, bbox=box), categories=["cat"])


@pytest.mark.parametrize(
    ("part", "place", "values", "message"),
    [
        ("images", 0, {"id": 7}, "two images have the id 7; give each an id of its own"),
        ("images", 0, {"id": "7"}, "two images have the id 7; give each an id of its own"),
        ("categories", 0, {"id": 17}, "two categories have the id 17; give each an id of its own"),
        ("annotations", 0, {"id": 3}, "two annotations have the id 3; give each an id of its own"),
        ("images", 0, {"file_name": "a.png"}, "two images are the file a.png; give each a file of its own"),
        ("images", 0, {"id": None}, "None is no id"),
        ("annotations", 0, {"image_id": [7]}, "is no id"),
    ],
)
def test_an_id_twice_or_none(part: str, place: int, values: dict[str, Any], message: str, root: Path) -> None:
    with pytest.raises(DataError, match=rf"some\.json: .*{message}"):
        read(root, changed(part, place, **values))


def test_boxes_as_shares_of_the_picture_are_refused(root: Path) -> None:
    boxes = [[0.1, 0.25, 0.5, 0.5], [0, 0, 1, 1], [0.5, 0.5, 0.25, 0.25]]
    content: dict[str, Any] = json.loads(json.dumps(CONTENT))
    for one, box in zip(content["annotations"], boxes, strict=True):
        one["bbox"] = box
    with pytest.raises(DataError) as error:
        read(root, content)
    assert str(error.value) == (
        f"{root}/some.json: all 3 boxes lie within 0 and 1, such as 0.1, 0.25 to 0.6, 0.75, as if they were shares of "
        "the picture; COCO's are pixels: multiply them by its width and height"
    )
    content["annotations"][0]["bbox"] = [0, 0, 1, 1.5]
    assert [len(one.boxes) for one in read(root, content).records] == [2, 0]
