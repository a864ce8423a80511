"""Several commands that want the same at once, and one of them killed."""

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest

from lightning_seg.synthetic.flowers import write_flowers
from tests.survival.killing import start

WRITE = ["synthesize", "flowers", "root", "--num_per_class", "20"]


def digest(root: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        found.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return found.hexdigest()


@pytest.mark.slow
def test_three_writers_leave_what_one_does_and_nothing_of_one_that_was_killed(tmp_path: Path) -> None:
    killed = start(WRITE, tmp_path)
    while not list(tmp_path.glob(".root.*/**/*.jpg")):
        assert killed.poll() is None
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "root").exists()
    writers = [start(WRITE, tmp_path) for _ in range(3)]
    said = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    write_flowers(tmp_path / "alone", num_per_class=20)
    assert digest(tmp_path / "root") == digest(tmp_path / "alone")
