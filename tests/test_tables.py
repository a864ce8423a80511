import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seg.tables import (
    append_rows,
    drop_cut_row,
    harmless_path,
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
    assert path.read_bytes() == b'picture,label,score\r\na.jpg,cat,0.5\r\n"b,\n.jpg",,-1\r\n'
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
    ],
)
def test_no_cell_is_a_formula_and_all_are_read_as_they_were(tmp_path: Path, text: str, written: str) -> None:
    path = tmp_path / "table.csv"
    write_rows(path, ["label"], [{"label": text}])
    assert path.read_text().splitlines()[1] == written
    assert read_rows(path) == [{"label": text}]


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


def test_bytes_that_are_no_utf_8_come_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.jpg")
    write_rows(tmp_path / "table.csv", ["picture"], [{"picture": name}])
    assert read_rows(tmp_path / "table.csv") == [{"picture": name}]


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
