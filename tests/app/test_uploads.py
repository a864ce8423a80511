"""Uploads of every kind: one line about those that are no photos, and nothing of them on the disk."""

import zlib
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from PIL import Image

from lightning_seg.app.answers import answer
from lightning_seg.app.controls import NONE
from lightning_seg.app.sources import Source
from lightning_seg.app.try_tab import KEPT, Desk
from lightning_seg.app.uploads import Uploads
from tests.app.hostile import HOSTILE, write_hostile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the library, with a folder for each upload."""
    (tmp_path / "uploads" / "abc").mkdir(parents=True)
    return tmp_path / "uploads"


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_photo_is_a_line_and_is_removed(kind: str, folder: Path, masks: Source) -> None:
    path = write_hostile(kind, folder / "abc" / "photo.png")
    photo = {"path": str(path), "orig_name": "my photo.png"}
    tried = Uploads(folder).use(photo, lambda file, name: answer(masks, file, {}, name))
    assert tried.result is None
    assert tried.reason is not None
    assert tried.reason.startswith("my photo.png: ")
    assert "\n" not in tried.reason
    assert str(folder) not in tried.reason
    assert not tried.is_kept
    assert files_in(folder) == []
    assert not (folder / "abc").exists()


def test_one_pixel_is_a_photo(folder: Path, masks: Source) -> None:
    path = folder / "abc" / "one.png"
    Image.fromarray(np.full((1, 1, 3), 200, np.uint8)).save(path)
    outcome = Desk(masks, folder).ask({"path": str(path)}, 50, None, [0, NONE, 0])
    assert "bright 100.0 %" in outcome.line
    assert "1 x 1 pixels" in outcome.line


def test_a_file_that_was_not_uploaded_is_not_read_and_stays(folder: Path, tmp_path: Path, masks: Source) -> None:
    path = tmp_path / "secret.png"
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path)
    for claimed in (path, folder / "abc" / ".." / ".." / "secret.png"):
        tried = Uploads(folder).use({"path": str(claimed)}, lambda file, name: answer(masks, file, {}, name))
        assert tried.result is None
        assert "not uploaded here" in str(tried.reason)
    assert path.is_file()


def test_a_setting_that_is_refused_keeps_the_photo(folder: Path, masks: Source) -> None:
    path = folder / "abc" / "photo.png"
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path)
    outcome = Desk(masks, folder).ask({"path": str(path)}, 50, None, [0, "sideways", 0])
    assert "tta 'sideways' does not exist" in outcome.line.replace("&#x27;", "'")
    assert not outcome.is_refused
    assert path.is_file()


def test_downloads_do_not_pile_up(folder: Path, masks: Source) -> None:
    path = folder / "abc" / "photo.png"
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(path)
    desk = Desk(masks, folder)
    for _ in range(KEPT + 3):
        outcome = desk.ask({"path": str(path)}, 50, None, [0, NONE, 0])
    assert outcome.files is not None
    assert outcome.files.json.is_file()
    assert len(list((folder / "downloads").iterdir())) == KEPT


def test_a_bomb_is_small_and_claims_much(tmp_path: Path) -> None:
    """What the tests call so would pass a check of its bytes alone."""
    path = write_hostile("a small file with 400 million pixels", tmp_path / "bomb.png")
    assert path.stat().st_size < 10**6
    with Image.open(path) as image:
        assert image.size == (20_000, 20_000)
    assert zlib.crc32(b"IEND") == int.from_bytes(path.read_bytes()[-4:], "big")
    assert path.read_bytes().startswith(b"\x89PNG" + pack(">I", 0x0D0A1A0A))
