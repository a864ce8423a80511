import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seg.files import printable, remove_left_overs, replace_text, replacing, replacing_folder


def test_the_old_content_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with replacing(path, "w") as file:
        file.write("new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(TypeError), replacing(path, "w") as file:
        file.write(b"no text")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_process_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom lightning_seg.files import replacing\n"
        "with replacing(Path(sys.argv[1]), 'w') as file:\n"
        "    file.write('ne')\n    file.flush()\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_text() == "old"


def test_a_full_disk_is_named_by_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught, replacing(tmp_path / "a", "w"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b é 조.png", "a b é 조.png"), ("a\nb", "a\\nb"), ("\x1b[31mred", "\\x1b[31mred"), ("\u202egnp", "\\u202egnp")],
)
def test_names_obey_nobody(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_byte_that_is_no_utf_8_is_shown() -> None:
    assert printable(os.fsdecode(b"a\xff.png")) == "a\\udcff.png"


def test_a_folder_is_seen_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for content in ("old", "new"):
        with replacing_folder(path) as partial:
            (partial / "file").write_text(content)
            assert [one.read_text() for one in path.glob("*")] == (["old"] if content == "new" else [])
        assert (path / "file").read_text() == content
    with pytest.raises(ZeroDivisionError), replacing_folder(path) as partial:
        (partial / "other").write_text(str(1 / 0))
    assert [file.name for file in tmp_path.rglob("*")] == ["folder", "file"]


def test_folders_of_killed_processes_go_with_their_files(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "0"])
    process.wait()
    left = tmp_path / f".key.{socket.gethostname()}.{process.pid}.partial"
    (left / "deeper").mkdir(parents=True)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    link = tmp_path / f".link.{socket.gethostname()}.{process.pid}.partial"
    link.symlink_to("precious")
    remove_left_overs(tmp_path)
    assert not left.exists()
    assert not link.is_symlink()
    assert (tmp_path / "precious" / "file").exists()


def test_what_a_killed_process_was_writing_is_removed_and_what_others_write_stays(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"])
    try:
        host = socket.gethostname()
        names = [f".a.ckpt.{host}.{other.pid}.partial", ".b.ckpt.elsewhere.5.partial", "c.partial", ".d.partial"]
        old = tmp_path / "folder" / ".e.ckpt.elsewhere.5.partial"
        old.parent.mkdir()
        for path in (*(tmp_path / name for name in names), old):
            path.touch()
        os.utime(old, (0, 0))
        remove_left_overs(tmp_path)
        assert sorted(path.name for path in tmp_path.rglob("*.partial")) == sorted(names)
    finally:
        other.kill()
        other.wait()
    remove_left_overs(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*.partial")) == sorted(names[1:])


def test_a_name_that_is_as_long_as_a_disk_allows_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 125 + ".json")
    replace_text(path, "content")
    assert path.read_text() == "content"
    assert list(tmp_path.iterdir()) == [path]
