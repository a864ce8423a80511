import itertools
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seg.tables import (
    apart,
    append_rows,
    drop_cut_row,
    harmless_path,
    joined,
    read_fields,
    read_rows,
    write_rows,
)

FIELDS = ["picture", "label", "score"]
ROW = {"picture": "a.jpg", "label": "cat", "score": 0.5}


def test_rows_are_added_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "table.csv"
    assert (read_rows(path), read_fields(path)) == ([], [])
    write_rows(path, FIELDS, [ROW])
    append_rows(path, FIELDS, [{"picture": "b,\n.jpg", "score": -1}])
    assert path.read_bytes() == b'picture,label,score\r\na.jpg,cat,0.5\r\n"b,\\n.jpg",,-1\r\n'
    assert read_rows(path)[1] == {"picture": "b,\n.jpg", "label": "", "score": "-1"}
    assert read_fields(path) == FIELDS


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cat", "'+cat"),
        ("-", "'-"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("'=1", "''=1"),
        ("-0.5", "-0.5"),
        ("'n Abend", "'n Abend"),
        ("a\x1b[31m.jpg", r"a\x1b[31m.jpg"),
        ("two\r\nlines\t", r"two\r\nlines\t"),
        ("\n=1", r"\n=1"),
        ("=\n", r"'=\n"),
        # Right to left, as in a name that hides its suffix; a letter beyond 16 bits that nobody can print.
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("\U000e0001", r"\U000e0001"),
        (os.fsdecode(b"\xff.jpg"), r"\udcff.jpg"),
        (r"C:\photos\cat.jpg", r"C:\photos\cat.jpg"),
        # What looks like an escape must not become one.
        (r"C:\new", r"C:\\new"),
        (r"\\host", r"\\\\host"),
        ("\\\n", r"\\\n"),
        ("größer 猫 🐈", "größer 猫 🐈"),
    ],
)
def test_no_cell_does_harm_and_all_are_read_as_they_were(tmp_path: Path, text: str, written: str) -> None:
    path = tmp_path / "table.csv"
    write_rows(path, ["label", text], [{"label": text}])
    header, row = path.read_text(encoding="utf-8").splitlines()
    assert (header, row) == (f"label,{written}", f"{written},")
    assert read_rows(path) == [{"label": text, text: ""}]
    assert read_fields(path) == ["label", text]


def test_any_text_comes_back(tmp_path: Path) -> None:
    draw = random.Random(0)
    texts = ["".join(draw.choices("\\nrtxuU0a1'=\n\x1b\udc80,\"", k=draw.randrange(12))) for _ in range(3000)]
    write_rows(tmp_path / "table.csv", ["label"], ({"label": text} for text in [*texts, r"\Uffffffff"]))
    assert [row["label"] for row in read_rows(tmp_path / "table.csv")] == [*texts, r"\Uffffffff"]


def test_a_path_stays_that_of_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("=1+1.jpg").write_text("picture")
    assert Path(harmless_path("=1+1.jpg")).read_text() == "picture"
    assert harmless_path("=1+1.jpg") == "./=1+1.jpg"
    assert harmless_path("/photos/=1.jpg") == "/photos/=1.jpg"


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"a,b\r\n1,2\r\n3,", b"a,b\r\n1,2\r\n"),
        # The line break belongs to the name.
        (b'a,b\r\n1,2\r\n"x\r\ny', b"a,b\r\n1,2\r\n"),
        (b'a,b\r\n"x\r\n""y""",2\r\n', b'a,b\r\n"x\r\n""y""",2\r\n'),
        (b"a,", b""),
        (b"", b""),
    ],
)
def test_a_cut_row_is_left_out_and_dropped(tmp_path: Path, content: bytes, kept: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    before = read_rows(path)
    drop_cut_row(path)
    assert path.read_bytes() == kept
    assert read_rows(path) == before


def test_names_in_tables_of_earlier_versions_come_back(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b'picture\r\n\xff.jpg\r\n"a\n\x1b.jpg"\r\n')
    assert [row["picture"] for row in read_rows(tmp_path / "table.csv")] == [os.fsdecode(b"\xff.jpg"), "a\n\x1b.jpg"]


def test_a_disk_that_gets_full_keeps_the_rows_of_before(tmp_path: Path) -> None:
    """The system lets no file of the child grow beyond 100 bytes."""
    script = (
        "import resource, sys\nfrom pathlib import Path\nfrom lightning_seg.tables import append_rows, write_rows\n"
        "path = Path(sys.argv[1])\nwrite_rows(path, ['a'], [{'a': 'x' * 50}])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try:\n    append_rows(path, ['a'], [{'a': 'y' * 500}])\n"
        "except OSError as error:\n    assert error.filename == str(path)\n    print('refused')\n"
    )
    path = tmp_path / "table.csv"
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    assert path.read_text().splitlines() == ["a", "x" * 50]


def test_several_names_in_a_cell_are_found_again() -> None:
    assert joined(["sky", "tree"]) == "sky; tree"
    assert joined(["a; b", "c"]) == r"a\; b; c"
    assert apart("a; b") == ["a", "b"]
    assert apart("") == []
    # All cells that such signs can make, in lists of one and of two.
    names = ["".join(signs) for length in (1, 2, 3) for signs in itertools.product("\\; a,", repeat=length)]
    for one, two in itertools.product(names, names):
        assert apart(joined([one, two])) == [one, two]
        assert apart(joined([one])) == [one]
