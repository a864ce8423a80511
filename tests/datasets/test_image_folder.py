"""Labelled pictures in folders and on lists, written by hand."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seg.augmentation.pipelines import PIPELINES
from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.datasets.image_folder import ImageFolderDataset
from lightning_seg.errors import DataError


def write(root: Path, *names: str, value: int = 100, size: tuple[int, int] = (4, 6)) -> None:
    """Grey pictures of one value, as (height, width)."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3), value, np.uint8)).save(root / name, format="PNG")


def contents(dataset: ImageFolderDataset) -> list[tuple[str, int, str | None]]:
    return [(record.name, record.label, record.split) for record in dataset.records]


# Folders


def test_a_folder_is_a_class_and_its_pictures_are_sorted(tmp_path: Path) -> None:
    write(tmp_path, "rose/b.png", "rose/a.JPG", "aster/1.jpeg", "lily/2.webp")
    dataset = ImageFolderDataset(tmp_path)
    assert dataset.class_names == ("aster", "lily", "rose")
    assert contents(dataset) == [
        ("aster/1.jpeg", 0, None),
        ("lily/2.webp", 1, None),
        ("rose/a.JPG", 2, None),
        ("rose/b.png", 2, None),
    ]
    assert dataset.count_labels() == [1, 1, 2]


def test_a_sample_is_the_picture_and_its_label(tmp_path: Path) -> None:
    write(tmp_path, "aster/1.png", value=10)
    write(tmp_path, "rose/1.png", value=200)
    sample = ImageFolderDataset(tmp_path, image_size=(2, 3))[1]
    assert sample["image"].tolist() == [[[200] * 3] * 2] * 3
    assert sample["label"] == 1
    assert (sample["index"], sample["epoch"]) == (1, 0)
    assert sample["path"] == str(tmp_path / "rose" / "1.png")
    assert sample["original_size"] == (4, 6)


def test_draws_change_the_picture_and_not_the_label(tmp_path: Path) -> None:
    write(tmp_path, "aster/1.png", "rose/1.png", value=60)
    dataset = ImageFolderDataset(tmp_path, pipeline=SeededPipeline(PIPELINES["invert"]()))
    values = set()
    for epoch in range(20):
        sample = dataset[epoch, 1]
        assert sample["label"] == 1
        values.add(int(sample["image"][0, 0, 0]))
    assert values == {60, 195}


def test_what_is_no_picture_or_hidden_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, "aster/1.png", "rose/1.png", "rose/.2.png", ".cache/3.png")
    (tmp_path / "rose" / "notes.txt").write_text("two petals are missing")
    (tmp_path / "LICENSE.txt").write_text("mine")
    dataset = ImageFolderDataset(tmp_path)
    assert [name for name, *_ in contents(dataset)] == ["aster/1.png", "rose/1.png"]


def test_classes_give_the_order_of_the_labels(tmp_path: Path) -> None:
    write(tmp_path, "aster/1.png", "rose/1.png")
    dataset = ImageFolderDataset(tmp_path, classes=["rose", "aster"])
    assert dataset.class_names == ("rose", "aster")
    assert sorted(contents(dataset)) == [("aster/1.png", 1, None), ("rose/1.png", 0, None)]


def test_numbers_are_sorted_by_value(tmp_path: Path) -> None:
    write(tmp_path, "10/1.png", "9/1.png", "2/1.png", "none/1.png")
    assert ImageFolderDataset(tmp_path).class_names == ("2", "9", "10", "none")


def test_folders_of_splits(tmp_path: Path) -> None:
    write(tmp_path, "train/aster/1.png", "train/rose/2.png", "test/rose/3.png", "val/aster/4.png")
    dataset = ImageFolderDataset(tmp_path)
    assert dataset.class_names == ("aster", "rose")
    assert contents(dataset) == [
        ("train/aster/1.png", 0, "train"),
        ("train/rose/2.png", 1, "train"),
        ("val/aster/4.png", 0, "val"),
        ("test/rose/3.png", 1, "test"),
    ]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write(tmp_path, "train/1.png", "car/1.png")
    assert contents(ImageFolderDataset(tmp_path)) == [("car/1.png", 0, None), ("train/1.png", 1, None)]


@pytest.mark.parametrize(
    ("names", "classes", "message"),
    [
        (["1.png"], None, ": no folder of a class there, it holds 1.png; put the pictures of each class into a folder"),
        (["rose/1.png"], None, ": there is only one class, rose; two are needed to tell pictures apart"),
        (["rose/1.png", "aster/new/1.png"], None, "/aster: no picture there, it holds new/; add some or remove the"),
        (["rose/1.png", "aster/1.png"], ["rose", "astern"], ": aster is none of the classes rose, astern; did you me"),
        (
            ["rose/1.png", "aster/1.png"],
            ["rose", "aster", "lily"],
            ": there is no picture of class lily; add some or r",
        ),
        (["train/a/1.png", "train/b/1.png", "valid/a/1.png"], None, ": valid/ lies beside train/, which holds folders"),
        (["train/a/1.png", "train/b/1.png", "val/c/1.png"], None, ": there is no picture of class c to train on; add "),
    ],
)
def test_folders_that_cannot_be_used(
    tmp_path: Path, names: Sequence[str], classes: list[str] | None, message: str
) -> None:
    write(tmp_path, *names)
    with pytest.raises(DataError, match=f"^{re.escape(str(tmp_path) + message)}[^\n]*$"):
        ImageFolderDataset(tmp_path, classes=classes)


def test_an_empty_folder_of_a_class(tmp_path: Path) -> None:
    write(tmp_path, "rose/1.png", "lily/1.png")
    (tmp_path / "aster").mkdir()
    with pytest.raises(DataError, match=r"/aster: no picture there, it holds nothing; add some or remove the folder$"):
        ImageFolderDataset(tmp_path)


def test_a_missing_root(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"/photos: no such folder; give that of your pictures with --data.root"):
        ImageFolderDataset(tmp_path / "photos")


def test_an_unreadable_picture_is_named_when_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, "rose/1.png", "aster/1.png")
    (tmp_path / "rose" / "1.png").write_bytes(b"not a picture")
    dataset = ImageFolderDataset(tmp_path)
    assert dataset[0]["label"] == 0
    with pytest.raises(DataError, match=r"^[^\n]*/rose/1\.png: cannot be read as a picture [^\n]*; replace the file$"):
        dataset[1]


# Lists


def listed(root: Path, text: str, classes: list[str] | None = None) -> ImageFolderDataset:
    (root / "labels.csv").write_text(text)
    return ImageFolderDataset(root, "labels.csv", classes)


def test_a_list_names_pictures_and_labels(tmp_path: Path) -> None:
    write(tmp_path, "photos/b.png", "photos/a.png", "c.png")
    dataset = listed(tmp_path, "image,label\nphotos/b.png,rose\nphotos/a.png,aster\nc.png,rose\n")
    assert dataset.class_names == ("aster", "rose")
    assert contents(dataset) == [("c.png", 1, None), ("photos/a.png", 0, None), ("photos/b.png", 1, None)]


def test_a_list_may_say_splits_and_order_its_columns(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b.png", "c.png")
    dataset = listed(tmp_path, "split,label,image\ntrain,9,a.png\ntest,10,b.png\ntrain,10,c.png\n")
    assert dataset.class_names == ("9", "10")
    assert contents(dataset) == [("a.png", 0, "train"), ("b.png", 1, "test"), ("c.png", 1, "train")]


def test_classes_give_the_order_of_listed_labels(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b.png")
    dataset = listed(tmp_path, "image,label\na.png,aster\nb.png,rose\n", ["rose", "aster"])
    assert [label for _, label, _ in contents(dataset)] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "image,class\na.png,rose\n",
            ", line 1: the columns are image,class; name them image,label or image,label,split",
        ),
        ("image,label\n", ": the list names no picture; add lines such as photos/1.jpg,rose"),
        ("image,label\na.png,rose\nx.png,aster\n", ", line 3: no picture {root}/x.png; restore it or remove the line"),
        ("image,label\na.png,rose\nb.png,\n", ", line 3: no label; every line needs one"),
        ("image,label\na.png,rose\nb.png,aster\na.png,rose\n", ", line 4: a.png is also in line 2; remove one of them"),
        ("image,label\na.png,rose\nb.png,rose\n", ": there is only one class, rose; two are needed to tell pictures"),
        ("image,label,split\na.png,rose,train\nb.png,aster,valid\n", ", line 3: there is no split 'valid'; use train"),
        ("image,label,split\na.png,rose,train\nb.png,aster,val\n", ": there is no picture of class aster to train on;"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, "a.png", "b.png")
    expected = f"{tmp_path}/labels.csv{message.format(root=tmp_path)}"
    with pytest.raises(DataError, match=f"^{re.escape(expected)}[^\n]*$"):
        listed(tmp_path, text)


def test_a_label_that_is_no_class(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b.png")
    with pytest.raises(DataError, match=r"labels\.csv: roze is none of the classes rose, aster; did you mean rose\?$"):
        listed(tmp_path, "image,label\na.png,roze\nb.png,aster\n", ["rose", "aster"])


def test_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.csv: cannot be read \(No such file or directory\); its path is rela"):
        ImageFolderDataset(tmp_path, "labels.csv")
