"""Lists in other encodings, cut off, or full of what no text holds: one line, or read as they are meant."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seg.__main__ import main
from lightning_seg.datasets.carvana import read_list as read_cars
from lightning_seg.datasets.lists import read_rows
from lightning_seg.datasets.oxford_pets import read_list as read_pets
from lightning_seg.datasets.text_lines import read_lines
from lightning_seg.errors import DataError

Read = Callable[[Path], object]
COLUMNS = ("image", "mask")
LISTS: dict[str, tuple[str, str, Read]] = {
    "pets": ("annotations/test.txt", "Bengal_1 1 1 1\nBengal_2 1 1 1\n", lambda root: read_pets(root, "test")),
    "cars": ("train_masks.csv", "img,rle_mask\nab_01.jpg,1 2\nab_02.jpg,1 2\n", read_cars),
    "pairs": ("p.csv", "image,mask\na.jpg,a.png\nb.jpg,b.png\n", lambda root: list(read_rows(root / "p.csv", COLUMNS))),
}
UNREADABLE = {
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-32": lambda text: text.encode("utf-32"),
    "latin-1": lambda text: f"{text}ä".encode("latin-1"),
    "binary": lambda text: bytes(range(256)),
}


def put(root: Path, file: str, content: bytes) -> None:
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_bytes(content)


@pytest.mark.parametrize(("file", "text", "read"), LISTS.values(), ids=LISTS)
@pytest.mark.parametrize("encode", UNREADABLE.values(), ids=UNREADABLE)
def test_another_encoding_is_one_line(
    tmp_path: Path, file: str, text: str, read: Read, encode: Callable[[str], bytes]
) -> None:
    put(tmp_path, file, encode(text))
    with pytest.raises(DataError, match=r"^\S+: not UTF-8; save it as UTF-8 text$"):
        read(tmp_path)


@pytest.mark.parametrize(("file", "text", "read"), LISTS.values(), ids=LISTS)
def test_a_byte_order_mark_and_other_line_ends_mean_nothing(tmp_path: Path, file: str, text: str, read: Read) -> None:
    put(tmp_path, file, text.encode())
    meant = read(tmp_path)
    for content in (text.encode("utf-8-sig"), text.replace("\n", "\r\n").encode(), text.rstrip("\n").encode()):
        put(tmp_path, file, content)
        assert read(tmp_path) == meant


@pytest.mark.parametrize(("file", "text", "read"), LISTS.values(), ids=LISTS)
def test_zeros_in_the_place_of_text_are_one_line(tmp_path: Path, file: str, text: str, read: Read) -> None:
    put(tmp_path, file, b"\0" * 64)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a folder, a pipe or a device, and no list; give a file$"):
        read_lines(tmp_path, "restore it")
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\); restore it$"):
        read_lines(tmp_path / "none.txt", "restore it")


def test_the_command_says_it_in_one_line(pets_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = pets_copy / "annotations" / "trainval.txt"
    path.write_text(path.read_text(), encoding="utf-16")
    assert main(["preview", "--data", "OxfordPetsDataModule", "--data.root", str(pets_copy)]) == 2
    assert capsys.readouterr().err == f"lightning-seg: error: {path}: not UTF-8; save it as UTF-8 text\n"


def test_a_marker_that_is_nested_without_end_is_none(flowers_copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (flowers_copy / "synthetic.json").write_text("[" * 200_000)
    words = ["preview", "--data", "FlowersDataModule", "--data.source", "synthetic", "--data.root", str(flowers_copy)]
    assert main(words) == 2
    assert "not empty and without synthetic.json" in capsys.readouterr().err
