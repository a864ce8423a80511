"""The cache on a disk that is full, and after processes that were killed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_seg.datasets.cache import PREFIX, PictureCache
from lightning_seg.datasets.cache_layout import Entry, allocate
from lightning_seg.errors import DataError
from lightning_seg.temporary import LOCK, UNLOCKED_DAYS, remove_stale

SIZE = (64, 64)
START = (
    "import os, sys, time\nfrom lightning_seg.datasets.cache import PictureCache\n"
    "from lightning_seg.datasets.cache_layout import Entry\n"
)
MAKE = START + "cache = PictureCache(4, (64, 64))\nprint(cache.folder, flush=True)\n"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder on a disk of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root makes a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], check=False)
    if made.returncode:
        pytest.skip("this machine lets nobody make a small disk")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def start(script: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def folders(temporary: Path) -> list[Path]:
    return sorted(path for path in temporary.glob(f"{PREFIX}*") if path.is_dir())


def test_the_next_start_removes_what_a_killed_process_left(temporary: Path, caplog: pytest.LogCaptureFixture) -> None:
    with start(MAKE + "time.sleep(60)") as killed, start(MAKE + "time.sleep(60)") as alive:
        left, used = said(killed), said(alive)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert Path(left).is_dir()
        cache = PictureCache(1, SIZE)
        assert folders(temporary) == sorted([Path(used), Path(cache.folder)])
        alive.kill()
    assert f"{left}: removed, 0 MiB of a run that was killed" in caplog.messages


def test_workers_of_a_killed_process_keep_nobody_from_removing_it(temporary: Path) -> None:
    script = MAKE + "worker = os.fork()\nif worker: print(worker, flush=True)\ntime.sleep(60)"
    with start(script) as owner:
        used, worker = Path(said(owner)), int(said(owner))
        remove_stale(temporary, PREFIX)
        assert used.is_dir()
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        assert _gone(used, temporary)
        os.kill(worker, signal.SIGKILL)


def _gone(folder: Path, temporary: Path) -> bool:
    for _ in range(50):
        remove_stale(temporary, PREFIX)
        if not folder.exists():
            return True
        time.sleep(0.1)
    return False


def test_folders_without_a_lock_go_when_they_are_old(temporary: Path) -> None:
    old, fresh, other = temporary / f"{PREFIX}old", temporary / f"{PREFIX}fresh", temporary / "lightning_seg_caches"
    for folder in (old, fresh, other):
        folder.mkdir()
        (folder / "images").write_bytes(b"pixels")
    long_ago = time.time() - (UNLOCKED_DAYS + 1) * 24 * 3600
    for folder in (old, other):
        os.utime(folder, (long_ago, long_ago))
    remove_stale(temporary, PREFIX)
    assert sorted(path.name for path in temporary.iterdir()) == ["lightning_seg_cache_fresh", "lightning_seg_caches"]


def test_links_are_not_followed(temporary: Path) -> None:
    for name in ("precious", f"{PREFIX}old"):
        (temporary / name).mkdir()
        (temporary / name / LOCK).touch()
    (temporary / PREFIX.rstrip("_")).symlink_to("precious")
    (temporary / f"{PREFIX}link").symlink_to("precious")
    (temporary / f"{PREFIX}old" / "images").symlink_to(temporary / "precious" / LOCK)
    remove_stale(temporary, PREFIX)
    assert (temporary / "precious" / LOCK).is_file()
    assert (temporary / f"{PREFIX}link").is_symlink()
    assert not (temporary / f"{PREFIX}old").exists()


def test_a_disk_that_fills_later_does_no_harm(small_disk: Path) -> None:
    # 4 MiB of pictures on 8 MiB; the rest is then filled by somebody else.
    script = START + (
        "import numpy as np\ncache = PictureCache(256, (64, 64))\nprint('ready', flush=True)\nsys.stdin.readline()\n"
        "image, mask = np.full((64, 64, 3), 7, np.uint8), np.full((64, 64), 2, np.uint8)\n"
        "for index in range(256): cache.put(index, Entry(image, mask, (64, 64)))\n"
        "print(sum(int(cache.get(index).image.sum()) for index in range(256)), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert said(process) == "ready"
        with pytest.raises(OSError, match="No space left"):
            (small_disk / "others").write_bytes(bytes(2**23))
        done, _ = process.communicate("go on\n", timeout=60)
    assert process.returncode == 0
    assert done.strip() == str(256 * 64 * 64 * 3 * 7)


def test_a_disk_that_gives_less_than_it_says_is_one_line(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([2**40, 2**40])
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: _usage(next(free)))
    with pytest.raises(DataError) as caught:
        PictureCache(2048, SIZE)
    assert str(caught.value) == (
        f"the cache of 2048 pictures needs 32 MiB, {small_disk} does not give them (No space left on device); set "
        "--data.cache false, or the environment variable TMPDIR to a larger folder"
    )
    assert folders(small_disk) == []


def _usage(free: int) -> Any:
    return type("Usage", (), {"free": free})()


def test_of_two_that_begin_at_once_one_gets_the_room(small_disk: Path) -> None:
    script = START + (
        "from lightning_seg.errors import DataError\n"
        "sys.stdin.readline()\n"
        "try: cache = PictureCache(320, (64, 64)); print('made', flush=True)\n"
        "except DataError as error: print(error, flush=True)\n"
        "sys.stdin.readline()\n"
    )
    options: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", script], **options) for _ in range(2)]
    for one in both:
        assert one.stdin is not None
        one.stdin.write("begin\n")
        one.stdin.flush()
    refused, made = sorted((said(one) for one in both), key=len, reverse=True)
    for one in both:
        one.communicate("end\n", timeout=60)
    assert made == "made"
    assert refused.startswith(f"the cache of 320 pictures needs 5 MiB, {small_disk} has 3; set --data.cache false")


def test_where_nothing_can_be_allocated_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    allocate(tmp_path / "file", 3 * 2**20 + 5)
    assert (tmp_path / "file").read_bytes() == bytes(3 * 2**20 + 5)
    assert (tmp_path / "file").stat().st_blocks * 512 >= 3 * 2**20


def test_pictures_come_back_as_they_were_put(temporary: Path) -> None:
    cache = PictureCache(2, (2, 3))
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    cache.put(1, Entry(image, np.ones((2, 3), np.uint8), (20, 30)))
    entry = cache.get(1)
    assert cache.get(0) is None
    assert entry is not None
    assert (entry.image == image).all()
    assert entry.original_size == (20, 30)
