"""Temporary folders of processes that end well, that are killed, and that go on."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lightning_seg.temporary import temporary_folder

HOLDER = """
import sys, time
from lightning_seg.temporary import temporary_folder
with temporary_folder("some_page_") as folder:
    (folder / "upload").write_text("private")
    print(folder, flush=True)
    time.sleep(60)
"""


def start(temporary: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process that holds a folder, and that folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env={"TMPDIR": str(temporary), "PYTHONPATH": ":".join(sys.path)},
        text=True,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_at_the_end_nothing_is_left(temporary: Path) -> None:
    with temporary_folder("some_page_") as folder:
        (folder / "below").mkdir()
        assert folder.is_relative_to(temporary)
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_has_left_goes_and_what_a_living_one_uses_stays(temporary: Path) -> None:
    (killed, left), (alive, used) = start(temporary), start(temporary)
    (temporary / "some_page_of_mine").mkdir()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert (left / "upload").is_file()
    with temporary_folder("some_page_") as own:
        assert not left.parent.exists()
        assert (used / "upload").is_file()
        assert own.parent != used.parent
    assert (used / "upload").is_file()
    assert (temporary / "some_page_of_mine").is_dir()
    alive.kill()
    alive.communicate()
