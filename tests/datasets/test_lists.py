"""Lists that users write: pairs as CSV, and the pictures of a split as text."""

from pathlib import Path

import pytest

from lightning_seg.batch import Split
from lightning_seg.datasets.lists import read_pairs, read_splits
from lightning_seg.datasets.pairs import Pair
from lightning_seg.errors import DataError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def refused(error: pytest.ExceptionInfo[DataError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# Pairs by list


def write_list(root: Path, content: str, encoding: str = "utf-8") -> None:
    (root / "pairs.csv").write_text(content, encoding)


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    touch(tmp_path, "images/a.jpg", "images/b, c.jpg", "images/d.jpg")
    return tmp_path


def test_a_list_of_pairs(listed: Path) -> None:
    write_list(listed, "image,mask\nimages/d.jpg,m/3.png\nimages/a.jpg,m/1.png\n")
    assert read_pairs(listed, "pairs.csv") == [
        Pair("images/a.jpg", listed / "images/a.jpg", listed / "m/1.png", None),
        Pair("images/d.jpg", listed / "images/d.jpg", listed / "m/3.png", None),
    ]


def test_lists_as_spreadsheets_write_them(listed: Path) -> None:
    content = (
        '\r\nSplit, image ,mask\r\n\r\nval,"images/b, c.jpg",  m/2.png\r\n,,\r\n"test","images/a.jpg","m/1.png"\r\n'
    )
    write_list(listed, content, "utf-8-sig")
    assert [(pair.name, pair.mask, pair.split) for pair in read_pairs(listed, "pairs.csv")] == [
        ("images/a.jpg", listed / "m/1.png", "test"),
        ("images/b, c.jpg", listed / "m/2.png", "val"),
    ]


def test_spaces_before_quotes(listed: Path) -> None:
    write_list(listed, 'image, mask\nimages/a.jpg, "m/1, 2.png"\n')
    assert [pair.mask for pair in read_pairs(listed, "pairs.csv")] == [listed / "m/1, 2.png"]


def test_listed_paths_may_be_absolute(listed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    touch(elsewhere, "x.jpg")
    (listed / "lists").mkdir()
    (listed / "lists" / "p.csv").write_text(
        f"image,mask\n{elsewhere}/x.jpg,/masks/x.png\n{listed}/images/a.jpg,a.png\n"
    )
    pairs = read_pairs(listed / "images", str(listed / "lists" / "p.csv"))
    assert [(pair.name, pair.mask) for pair in pairs] == [
        (f"{elsewhere}/x.jpg", Path("/masks/x.png")),
        ("a.jpg", listed / "images" / "a.png"),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "image;mask\nimages/a.jpg;m/1.png\n",
            "line 1: the columns are image;mask; name them image,mask or image,mask,spl",
        ),
        ("picture,mask\n", "line 1: the columns are picture,mask; name them"),
        ("image,mask,splits\n", "line 1: the columns are image,mask,splits; name them"),
        ("image,mask,mask\n", "line 1: the columns are image,mask,mask"),
        ("image,split\n", "line 1: the columns are image,split"),
        ("images/a.jpg,m/1.png\n", "line 1: the columns are images/a.jpg,m/1.png"),
        ("", ": the list names no picture; add lines such as images/1.jpg,masks/1.png"),
        ("image,mask\n\n", ": the list names no picture"),
        ("image,mask\nimages/a.jpg\n", "line 2: 1 values for the 2 columns image,mask; quote names that hold a comma"),
        ("image,mask\n\nimages/b, c.jpg,m/1.png\n", "line 3: 3 values for the 2 columns"),
        ("image,mask\nimages/a.jpg,\n", "line 2: no mask; every line needs one"),
        ("image,mask\n ,m/1.png\n", "line 2: no image; every line needs one"),
        ("image,mask,split\nimages/a.jpg,m/1.png,\n", "line 2: no split; every line needs one"),
        ("image,mask,split\nimages/a.jpg,m/1.png,Train\n", "line 2: there is no split 'Train'; use train, val or test"),
        ("image,mask\nimages/x.jpg,m/1.png\n", "images/x.jpg; restore it or remove the line"),
        (
            "image,mask\nimages/a.jpg,m/1.png\nimages/a.jpg,m/2.png\n",
            "line 3: images/a.jpg is also in line 2; remove one",
        ),
        ("image,mask\nimages/d.jpg,m/1.png\n./images/d.jpg,m/2.png\n", "line 3: images/d.jpg is also in line 2"),
        ('image,mask\n"images/a.jpg"x,m/1.png\n', "line 2: ',' expected after '\"'; check the quotes"),
        ('image,mask\n"images/a.jpg,m/1.png\n', "line 2: unexpected end of data; check the quotes"),
    ],
)
def test_lines_that_are_refused(listed: Path, content: str, message: str) -> None:
    write_list(listed, content)
    with pytest.raises(DataError) as error:
        read_pairs(listed, "pairs.csv")
    assert refused(error).startswith(f"{listed / 'pairs.csv'}")
    assert message in refused(error)


def test_lists_that_cannot_be_read(listed: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.csv: cannot be read \(No such file.*relative to --data\.root"):
        read_pairs(listed, "nothing.csv")
    (listed / "pairs.csv").write_bytes("image,mask\nimages/ä.jpg,m\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"pairs\.csv: not UTF-8; save it as UTF-8 text"):
        read_pairs(listed, "pairs.csv")


# Splits by list

PICTURES = ["images/p1/a.jpg", "images/p1/b.jpg", "images/p2/a.jpg", "images/p2/c.png", "images/p2/c.d.jpg"]


def splits(root: Path, **lists: str) -> list[Split | None]:
    for name, content in lists.items():
        (root / f"{name}.txt").write_text(content, "utf-8")
    every: tuple[Split, ...] = ("train", "val", "test")
    return read_splits(root, {split: f"{split}.txt" for split in every if split in lists}, PICTURES)


def test_what_is_not_listed_trains(tmp_path: Path) -> None:
    assert splits(tmp_path, val="b\n", test="c.png\n") == ["train", "val", "train", "test", "train"]


def test_with_a_list_for_training_the_rest_takes_no_part(tmp_path: Path) -> None:
    assert splits(tmp_path, val="b", train="c") == [None, "val", None, "train", None]


def test_stems_names_paths_comments_and_empty_lines(tmp_path: Path) -> None:
    content = "\ufeff# chosen by hand\n\n  images/p1/a.jpg  \r\n   # and\nc.d\n./images/p2/c.png\nb.jpg"
    assert splits(tmp_path, test=content) == ["test", "test", "train", "test", "test"]


def test_without_lists_everything_trains(tmp_path: Path) -> None:
    assert splits(tmp_path) == ["train"] * 5


def test_lists_may_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("b")
    found = read_splits(Path("/nowhere"), {"val": str(tmp_path / "val.txt")}, PICTURES)
    assert found == ["train", "val", "train", "train", "train"]


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (
            {"val": "b\n\nbb.jpg\n"},
            "val.txt, line 3: there is no picture bb.jpg; did you mean b.jpg? Correct the line or rem",
        ),
        ({"val": "zebra\n"}, "val.txt, line 1: there is no picture zebra; Correct the line or remove it"),
        ({"val": "b\na\n"}, "val.txt, line 2: a may be images/p1/a.jpg or images/p2/a.jpg; write the path"),
        ({"test": "a.jpg\n"}, "test.txt, line 1: a.jpg may be images/p1/a.jpg or images/p2/a.jpg; write the path"),
        ({"val": "c\n", "test": "#\nc.png\n"}, "line 2: images/p2/c.png is also in"),
        ({"val": "b\nb\n"}, "val.txt, line 2: images/p1/b.jpg is also in"),
        ({"val": "# nothing\n"}, "val.txt: the list names no picture; write one stem, file name or path per line"),
    ],
)
def test_lists_that_are_refused(tmp_path: Path, lists: dict[str, str], message: str) -> None:
    with pytest.raises(DataError) as error:
        splits(tmp_path, **lists)
    assert refused(error).startswith(str(tmp_path))
    assert message in refused(error)


def test_both_lines_of_a_picture_with_two_splits_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        splits(tmp_path, train="\nc.png\n", test="c\n")
    first, second = f"{tmp_path / 'train.txt'}, line 2", f"{tmp_path / 'test.txt'}, line 1"
    assert refused(error) == f"{second}: images/p2/c.png is also in {first}; a picture has one split"


def test_a_list_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"val\.txt: cannot be read \(No such file or directory\)"):
        read_splits(tmp_path, {"val": "val.txt"}, PICTURES)
