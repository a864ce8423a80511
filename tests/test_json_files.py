"""JSON that is whole, strict and read with a clear message."""

import json
from pathlib import Path

import pytest

from lightning_seg.errors import DataError
from lightning_seg.json_files import as_read, read_json, write_json


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "new" / "a.json", {"a": float("nan"), "b": [1.5, -float("inf")], "c": {"d": (float("inf"),)}})
    text = (tmp_path / "new" / "a.json").read_text()
    # Without a hook, Python would read NaN and Infinity.
    assert json.loads(text, parse_constant=pytest.fail) == {"a": None, "b": [1.5, None], "c": {"d": [None]}}


def test_a_file_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is, the new content is complete; if that fails, the old one stays, and nothing else."""
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def fail(source: Path, target: Path) -> None:
        assert json.loads(source.read_text()) == {"new": 2}
        assert json.loads(path.read_text()) == {"old": 1}
        raise OSError("the power is gone")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="power"):
        write_json(path, {"new": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert read_json(path, "") == {"old": 1}


@pytest.mark.parametrize("text", ['{"a": 1, "b', "", "[1]"])
def test_what_was_cut_off_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=r"a\.json: .*; delete it") as caught:
        read_json(tmp_path / "a.json", "delete it")
    assert "\n" not in str(caught.value)


def test_what_would_be_read_again() -> None:
    assert as_read({0: (1, 2), "a": float("inf")}) == {"0": [1, 2], "a": None}
