import json
from pathlib import Path

import pytest

from lightning_seg.errors import DataError
from lightning_seg.synthetic.marker import SYNTHETIC_MARKER, ensure_synthetic, is_synthetic


def write_words(folder: Path) -> None:
    (folder / "words").mkdir()
    (folder / "words" / "first.txt").write_text("one")


def write_nothing(folder: Path) -> None:
    raise AssertionError(f"{folder} should not be written")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("exists", [True, False])
def test_fills_a_new_or_empty_root(tmp_path: Path, exists: bool) -> None:
    root = tmp_path / "data" / "words"
    if exists:
        root.mkdir(parents=True)

    assert ensure_synthetic(root, "words", write_words, {"count": 1})

    assert json.loads((root / SYNTHETIC_MARKER).read_text()) == {"dataset": "words", "count": 1, "format": 2}
    assert (root / "words" / "first.txt").read_text() == "one"
    assert names(root.parent) == ["words"]
    assert is_synthetic(root)


def test_marker_is_written_after_the_files(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        assert not is_synthetic(folder)
        assert folder != tmp_path / "root"
        assert not (tmp_path / "root").exists()

    assert ensure_synthetic(tmp_path / "root", "words", write, {})


def test_equal_marker_is_left_alone(tmp_path: Path) -> None:
    ensure_synthetic(tmp_path / "root", "words", write_words, {"count": 1})

    assert not ensure_synthetic(tmp_path / "root", "words", write_nothing, {"count": 1})


def test_other_parameters_replace_the_dataset_wholly(tmp_path: Path) -> None:
    root = tmp_path / "root"
    ensure_synthetic(root, "words", write_words, {"count": 1})
    (root / "cache.bin").write_text("of the old one")

    def write(folder: Path) -> None:
        assert (root / "words" / "first.txt").exists()
        (folder / "second.txt").write_text("two")

    assert ensure_synthetic(root, "words", write, {"count": 2})
    assert names(root) == ["second.txt", SYNTHETIC_MARKER]
    assert names(tmp_path) == ["root"]


def test_another_dataset_is_not_replaced(tmp_path: Path) -> None:
    root = tmp_path / "root"
    ensure_synthetic(root, "words", write_words, {"count": 1})
    with pytest.raises(
        DataError, match=r"root holds synthetic words, which will not be replaced with numbers; give ano"
    ):
        ensure_synthetic(root, "numbers", write_nothing, {"count": 1})
    assert (root / "words" / "first.txt").exists()


def test_failing_writer_leaves_the_old_dataset(tmp_path: Path) -> None:
    root = tmp_path / "root"
    ensure_synthetic(root, "words", write_words, {"count": 1})

    with pytest.raises(AssertionError):
        ensure_synthetic(root, "words", write_nothing, {"count": 2})

    assert (root / "words" / "first.txt").exists()
    assert names(tmp_path) == ["root"]


@pytest.mark.parametrize("marker", [None, "{broken", '{"name": "of another program"}'])
def test_other_files_are_never_touched(tmp_path: Path, marker: str | None) -> None:
    (tmp_path / "photo.jpg").write_text("mine")
    if marker is not None:
        (tmp_path / SYNTHETIC_MARKER).write_text(marker)

    with pytest.raises(DataError) as raised:
        ensure_synthetic(tmp_path, "words", write_nothing, {})

    message = str(raised.value)
    assert str(tmp_path) in message
    assert "give another root" in message
    assert "\n" not in message
    assert (tmp_path / "photo.jpg").read_text() == "mine"
    assert not is_synthetic(tmp_path)


def test_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("mine")

    with pytest.raises(DataError, match="give another"):
        ensure_synthetic(tmp_path / "root", "words", write_nothing, {})


def test_root_below_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(DataError, match=r"^[^\n]*cannot write[^\n]*give another root$"):
        ensure_synthetic(tmp_path / "file" / "root", "words", write_words, {})


def test_loser_of_a_race_keeps_the_winner(tmp_path: Path) -> None:
    """Another machine may not see the lock."""
    root = tmp_path / "root"

    def write_while_another_wins(folder: Path) -> None:
        write_words(folder)
        assert ensure_synthetic(tmp_path / "other", "words", write_words, {"count": 1})
        (tmp_path / "other").rename(root)
        (root / "winner").touch()

    assert not ensure_synthetic(root, "words", write_while_another_wins, {"count": 1})
    assert (root / "winner").exists()
    assert names(tmp_path) == ["root"]


def test_race_with_foreign_files_ends_in_the_error(tmp_path: Path) -> None:
    root = tmp_path / "root"

    def write_while_a_photo_arrives(folder: Path) -> None:
        write_words(folder)
        root.mkdir()
        (root / "photo.jpg").touch()

    with pytest.raises(DataError, match="not empty"):
        ensure_synthetic(root, "words", write_while_a_photo_arrives, {})
    assert names(root) == ["photo.jpg"]


def test_root_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")

    assert ensure_synthetic(tmp_path / "root", "words", write_words, {})

    assert (tmp_path / "root").is_symlink()
    assert is_synthetic(tmp_path / "disk")
