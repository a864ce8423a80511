import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seg.files import printable, replacing


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
