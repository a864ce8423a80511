import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from lightning_seg.datasets.dog_breeds import DOG_BREEDS
from lightning_seg.datasets.stanford_dogs import StanfordDogsDataset
from lightning_seg.datasets.voc import read_boxes
from lightning_seg.errors import DataError

LINES = {
    "train": [("n1-Shih-Tzu/n1_1.jpg", 1), ("n2-toy_terrier/n2_7.jpg", 2)],
    "test": [("n2-toy_terrier/n2_9.jpg", 2)],
}
BOX = "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"


def write_list(root: Path, split: str, lines: Sequence[tuple[str, int]], **more: Any) -> None:
    names = np.empty((len(lines), 1), object)
    names[:, 0] = [name for name, _ in lines]
    (root / "lists").mkdir(parents=True, exist_ok=True)
    content = {"file_list": names, "labels": np.array([[label] for _, label in lines], np.uint8), **more}
    savemat(root / "lists" / f"{split}_list.mat", content)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three photos of two breeds: a JPEG, a JPEG of another size and a PNG with transparency called .jpg."""
    pixels = [np.full(shape, 50, np.uint8) for shape in ((4, 6, 3), (9, 2, 3), (5, 5, 4))]
    names = [name for lines in LINES.values() for name, _ in lines]
    for name, array in zip(names, pixels, strict=True):
        path = tmp_path / "Images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path, format="PNG" if array.shape[2] == 4 else "JPEG")
    for split, lines in LINES.items():
        write_list(tmp_path, split, lines)
    return tmp_path


def test_both_lists_with_breeds_as_class_names(root: Path) -> None:
    dataset = StanfordDogsDataset(root)
    assert dataset.class_names == ("Shih-Tzu", "toy_terrier")
    assert [(record.name, record.label, record.split) for record in dataset.records] == [
        ("n1-Shih-Tzu/n1_1.jpg", 0, "train"),
        ("n2-toy_terrier/n2_7.jpg", 1, "train"),
        ("n2-toy_terrier/n2_9.jpg", 1, "test"),
    ]


def test_odd_sizes_and_transparency_are_read(root: Path) -> None:
    samples = [StanfordDogsDataset(root, (8, 8))[index] for index in range(3)]
    assert [sample["original_size"] for sample in samples] == [(4, 6), (9, 2), (5, 5)]
    assert [tuple(sample["image"].shape) for sample in samples] == [(3, 8, 8)] * 3
    assert all(abs(sample["image"].int() - 50).max() <= 2 for sample in samples)
    assert [sample["label"] for sample in samples] == [0, 1, 1]


def test_boxes_are_read_where_there_are_any(root: Path) -> None:
    dataset = StanfordDogsDataset(root)
    path = root / "Annotation" / "n2-toy_terrier" / "n2_7"
    path.parent.mkdir(parents=True)
    objects = "".join(f"<object><name>dog</name>{BOX.format(*box)}</object>" for box in ((1, 2, 3, 4), (0, 0, 2, 9)))
    path.write_text(f"<annotation><folder>2</folder>{objects}</annotation>")
    assert dataset.boxes(dataset.records[1]).tolist() == [[1, 2, 3, 4], [0, 0, 2, 9]]
    assert dataset.boxes(dataset.records[0]).shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", "no annotation of Pascal VOC (no element found"),
        (
            "<annotation><object><bndbox><xmin>1</xmin></bndbox></object></annotation>",
            "no annotation of Pascal V",
        ),
        (
            f"<annotation><object>{BOX.format(5, 1, 5, 9)}</object></annotation>",
            "the box 5, 1, 5, 9 is empty; rest",
        ),
        (
            f"<annotation><object>{BOX.format('nan', 1, 5, 9)}</object></annotation>",
            "the box nan, 1, 5, 9 lies outside of any picture; rest",
        ),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "no annotation of Pascal VOC (unknown encoding"),
        (
            '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
            + "".join(f'<!ENTITY {b} "{f"&{a};" * 30}">' for a, b in zip("abcdefg", "bcdefgh", strict=True))
            + "]><a>&h;</a>",
            "no annotation of Pascal VOC (limit on input amplification factor",
        ),
    ],
)
def test_annotations_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "n1_1"
    path.write_text(text)
    with pytest.raises(DataError, match=f"^{re.escape(f'{path}: {message}')}[^\n]*$"):
        read_boxes(path)


def test_synthetic_dogs_are_read(dogs_root: Path) -> None:
    dataset = StanfordDogsDataset(dogs_root, (24, 24))
    assert dataset.class_names == ("marsh_hound", "fenwick", "pebble_spaniel")
    assert dataset.count_labels() == [8, 8, 8]
    for index in (0, 10, 23):
        record, sample = dataset.records[index], dataset[index]
        annotation = ElementTree.parse(dogs_root / "Annotation" / Path(record.name).with_suffix(""))
        assert annotation.findtext("object/name") == dataset.class_names[sample["label"]]
        size = int(annotation.findtext("size/height") or 0), int(annotation.findtext("size/width") or 0)
        assert sample["original_size"] == size
        ((x1, y1, x2, y2),) = dataset.boxes(record).tolist()
        assert 0 <= x1 < x2 <= size[1]
        assert 0 <= y1 < y2 <= size[0]


def test_another_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no lists/train_list\.mat there, .* --data\.source synthetic$"):
        StanfordDogsDataset(tmp_path)


def test_a_list_is_missing(root: Path) -> None:
    (root / "lists" / "test_list.mat").unlink()
    with pytest.raises(DataError, match=r"no lists/test_list\.mat there, so this is not a copy of Stanford Dogs"):
        StanfordDogsDataset(root)


def test_photos_are_missing(root: Path) -> None:
    (root / "Images" / "n2-toy_terrier" / "n2_9.jpg").unlink()
    with pytest.raises(DataError, match=r"Images: 1 of 3 listed photos are missing: n2-toy_terrier/n2_9\.jpg; restore"):
        StanfordDogsDataset(root)


def test_a_broken_list_is_one_line(root: Path) -> None:
    (root / "lists" / "train_list.mat").write_bytes(b"<html>\nnot found")
    with pytest.raises(
        DataError, match=r"^[^\n]*train_list\.mat: not one of the published lists \([^\n]*; restore the "
    ):
        StanfordDogsDataset(root)


def test_a_list_with_other_columns(root: Path) -> None:
    savemat(root / "lists" / "train_list.mat", {"files": np.zeros((2, 1))})
    with pytest.raises(DataError, match=r"not one of the published lists \(KeyError: 'file_list'\)"):
        StanfordDogsDataset(root)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "the list names no photo; restore the published file"),
        ([("n1-Shih-Tzu/n1_1.jpg", 1), ("n1_1.jpg", 2)], "found 'n1_1.jpg' with label 2"),
        (
            [("n1-Shih-Tzu/n1_1.jpg", 1), ("n2-toy_terrier/n2_7.jpg", 1)],
            "one breed for each label, found 'n2-toy_terri",
        ),
        ([("n1-Shih-Tzu/n1_1.jpg", 4)], "2 labels, the highest is 4; they must be numbered from 1 on without a gap"),
    ],
)
def test_lists_that_cannot_be_used(root: Path, lines: list[tuple[str, int]], message: str) -> None:
    write_list(root, "train", lines)
    with pytest.raises(DataError, match=f"^[^\n]*{re.escape(message)}[^\n]*$"):
        StanfordDogsDataset(root)


def test_one_breed_is_too_few(root: Path) -> None:
    for split in LINES:
        write_list(root, split, [("n1-Shih-Tzu/n1_1.jpg", 1)])
    with pytest.raises(DataError, match=r"1 labels, the highest is 1; .* two at least"):
        StanfordDogsDataset(root)


def test_there_are_120_breeds() -> None:
    assert len(set(DOG_BREEDS)) == 120
    assert (DOG_BREEDS[0], DOG_BREEDS[-1]) == ("Chihuahua", "African_hunting_dog")


@pytest.mark.real_data
def test_real_photos(real_data: Path) -> None:
    dataset = StanfordDogsDataset(real_data / "stanford_dogs", (64, 64))
    assert dataset.class_names == DOG_BREEDS
    assert len(dataset) == 1200
    assert dataset.count_labels() == [10] * 120
    splits = [record.split for record in dataset.records]
    assert (splits.count("train"), splits.count("test")) == (720, 480)
    for index in range(0, 1200, 60):
        sample = dataset[index]
        assert sample["image"].shape == (3, 64, 64)
        # The folder is called n02085620-Chihuahua.
        assert Path(sample["path"]).parent.name.partition("-")[2] == DOG_BREEDS[sample["label"]]
