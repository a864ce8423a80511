"""Names that look the same are the same: in folders, CSV and lists; and names that no system likes."""

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from lightning_seg.datasets.finding import find_pictures, unique_names
from lightning_seg.datasets.image_folder import ImageFolderDataset
from lightning_seg.datasets.lists import read_pairs, read_splits
from lightning_seg.datasets.names import Files
from lightning_seg.datasets.pairs import check_pairs, find_pairs
from lightning_seg.errors import DataError

COMPOSED = unicodedata.normalize("NFC", "조각é")
PARTS = unicodedata.normalize("NFD", COMPOSED)


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 2)).save(path)
    return path


@pytest.mark.parametrize(("image", "mask"), [(COMPOSED, PARTS), (PARTS, COMPOSED)])
def test_masks_are_found_by_the_name_of_their_picture(image: str, mask: str, tmp_path: Path) -> None:
    touch(tmp_path / "images" / f"{image}.jpg")
    touch(tmp_path / "masks" / f"{mask}.png")
    pairs = find_pairs(tmp_path, "images/*.jpg", "masks/{stem}.png")
    check_pairs(tmp_path, pairs)
    assert [(pair.name, pair.mask.name) for pair in pairs] == [(f"images/{image}.jpg", f"{mask}.png")]


@pytest.mark.parametrize("line", [f"i/{PARTS}/1.jpg,m\\{COMPOSED}.png", f"i\\{COMPOSED}\\1.jpg,m/{PARTS}.png"])
def test_a_list_of_pairs_may_be_of_another_system(line: str, tmp_path: Path) -> None:
    image, mask = touch(tmp_path / "i" / PARTS / "1.jpg"), touch(tmp_path / "m" / f"{PARTS}.png")
    (tmp_path / "pairs.csv").write_bytes(b"\xef\xbb\xbfimage,mask\r\n" + line.encode() + b"\r\n")
    assert [(pair.name, pair.image, pair.mask) for pair in read_pairs(tmp_path, "pairs.csv")] == [
        (f"i/{PARTS}/1.jpg", image, mask)
    ]


@pytest.mark.parametrize("entry", [f"images\\{COMPOSED}.jpg", f"images/{COMPOSED}.jpg", COMPOSED, f"{PARTS}.jpg"])
def test_a_list_of_a_split_may_be_of_another_system(entry: str, tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_bytes(f"\ufeff{entry}\r\n".encode())
    assert read_splits(tmp_path, {"val": "val.txt"}, [f"images/{PARTS}.jpg", "images/b.jpg"]) == ["val", "train"]


def test_folders_that_look_the_same_are_one_class(tmp_path: Path) -> None:
    touch(tmp_path / "train" / COMPOSED / "1.png")
    touch(tmp_path / "train" / "rose" / "1.png")
    touch(tmp_path / "val" / PARTS / "2.png")
    for classes in (None, ["rose", COMPOSED], ["rose", PARTS]):
        data = ImageFolderDataset(tmp_path, classes=classes)
        assert data.class_names == ("rose", COMPOSED)
        assert [data.label(picture) for picture in sorted(data.records)] == [0, 1, 1]


def test_labels_of_a_list_that_look_the_same_are_one_class(tmp_path: Path) -> None:
    for name in "abc":
        touch(tmp_path / f"{name}.png")
    (tmp_path / "l.csv").write_text(f"image,label\na.png,{COMPOSED}\nb.png,{PARTS}\nc.png,x\n", "utf-8")
    data = ImageFolderDataset(tmp_path, "l.csv")
    assert data.class_names == ("x", COMPOSED)


@pytest.mark.parametrize(
    ("names", "said"), [(("cat", " "), "' ' is no name"), (("cat", "cat "), "'cat ' stands there")]
)
def test_folders_that_cannot_be_told_apart_as_classes_are_refused(names: list[str], said: str, tmp_path: Path) -> None:
    for name in names:
        touch(tmp_path / name / "1.png")
    with pytest.raises(DataError, match=said):
        ImageFolderDataset(tmp_path)


def test_the_exact_name_comes_first_and_two_others_are_refused(tmp_path: Path) -> None:
    accent = unicodedata.normalize("NFD", "é")
    for name in ("é.png", f"{accent}.png", "a\\b.png", "a/b.png"):
        touch(tmp_path / name)
    files = Files(tmp_path)
    assert files.find("é.png") == tmp_path / "é.png"
    assert files.find(f"{accent}.png") == tmp_path / f"{accent}.png"
    assert files.find("a\\b.png") == tmp_path / "a\\b.png"
    assert files.find("missing/é.png") == tmp_path / "missing/é.png"
    # Angstrom: a third way to write the letter.
    touch(tmp_path / "Å.png")
    touch(tmp_path / "\u212b.png")
    with pytest.raises(DataError, match=r"two files look like .* and are spelt differently; rename one of them"):
        Files(tmp_path).find("A\u030a.png")


def test_names_that_are_too_long_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text(f"image,mask\n{'x' * 300}.jpg,m.png\n")
    with pytest.raises(DataError, match=r"pairs\.csv, line 2: no picture .*x\.jpg; restore it"):
        read_pairs(tmp_path, "pairs.csv")
    with pytest.raises(DataError, match="no such file, and no file matches it"):
        find_pictures(["x" * 300])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["...png", "..png", ".png", "a.png"], ["...png", "..png", ".png", "a"]),
        (["a.b.png", "a b\nc.png"], ["a.b", "a b\nc"]),
    ],
)
def test_names_of_dots_keep_their_suffix(names: list[str], expected: list[str], tmp_path: Path) -> None:
    assert unique_names([tmp_path / name for name in names]) == expected


def test_names_that_leave_no_room_for_a_suffix_are_cut(tmp_path: Path) -> None:
    first, second = ("é" * 125 + f"{number}.png" for number in "12")
    names = unique_names([tmp_path / first, tmp_path / second])
    assert len(set(names)) == 2
    for name in names:
        assert name.startswith("é" * 110)
        assert len(name.encode()) <= 230


def test_a_list_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pairs.csv")
    with pytest.raises(DataError, match=r"pairs\.csv: a folder, a pipe or a device, and no list; give a file"):
        read_pairs(tmp_path, "pairs.csv")
