"""Downloads from servers that are silent, die, lie or know no ranges, and by several processes at once."""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar

import pytest

from lightning_seg import transfer as module
from lightning_seg.errors import DownloadError
from lightning_seg.transfer import Published, transfer

CONTENT = bytes(range(256)) * 4096  # 1 MiB
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class OddServer(BaseHTTPRequestHandler):
    """Behaves as ``plan`` says, request by request; the last entry stays. ``asked`` holds the ranges asked for."""

    plan: ClassVar[list[str]] = []
    asked: ClassVar[list[str | None]] = []
    content: ClassVar[bytes] = CONTENT
    another: ClassVar[bytes] = b"<html>Log in</html>"
    end: ClassVar[Event] = Event()
    gate: ClassVar[Event | None] = None

    def do_GET(self) -> None:
        how = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        self.asked.append(self.headers.get("Range"))
        if how.isdigit():
            self.send_error(int(how))
            return
        if how == "silent":
            self.end.wait(20)
            return
        if how == "another file":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.another)
            return
        start = self._start() if how != "no ranges" else 0
        if start >= len(self.content) and start:
            self.send_error(416)
            return
        self._head(how, start)
        rest = self.content[start:]
        if self.gate is not None:
            self.wfile.write(rest[:1000])
            self.gate.wait(20)
            rest = rest[1000:]
        if how in ("dies", "falls silent"):
            self.wfile.write(rest[: len(rest) // 2])
            self.wfile.flush()
            if how == "falls silent":
                self.end.wait(20)
            return
        self.wfile.write(rest)

    def _start(self) -> int:
        return int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))

    def _head(self, how: str, start: int) -> None:
        self.send_response(206 if start else 200)
        length = len(self.content) - start + {"claims more": 1000, "claims less": -1000}.get(how, 0)
        if how != "tells no length":
            self.send_header("Content-Length", str(length))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a file on a server that behaves as ``OddServer.plan`` says."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(module, "SILENCE", 0.5)
    monkeypatch.setattr(module, "PAUSE", 0.01)
    OddServer.plan, OddServer.asked, OddServer.end = ["good"], [], Event()
    OddServer.content, OddServer.gate, OddServer.another = CONTENT, None, b"<html>Log in</html>"
    with ThreadingHTTPServer(("127.0.0.1", 0), OddServer) as http:
        Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/file.bin"
        OddServer.end.set()
        http.shutdown()


def get(url: str, path: Path, checksum: str = CHECKSUM) -> None:
    transfer(Published(url, checksum), path, "try again")
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("plan", "ranges"),
    [
        (["good"], [None]),
        (["tells no length"], [None]),
        (["dies", "good"], [None, "bytes=524288-"]),
        (["falls silent", "good"], [None, "bytes=524288-"]),
        (["dies", "dies", "good"], [None, "bytes=524288-", "bytes=786432-"]),
        (["dies", "503", "429", "good"], [None, "bytes=524288-", "bytes=524288-", "bytes=524288-"]),
        (["silent", "500", "good"], [None, None, None]),
        (["dies", "no ranges"], [None, "bytes=524288-"]),
        # Everything is there; what is missing behind it does not exist.
        (["claims more"], [None, "bytes=1048576-"]),
    ],
)
def test_the_file_comes_whole(server: str, tmp_path: Path, plan: list[str], ranges: list[str | None]) -> None:
    OddServer.plan = plan
    get(server, tmp_path / "folder" / "file.bin")
    assert OddServer.asked == ranges


@pytest.mark.parametrize("checksum", [hashlib.md5(CONTENT).hexdigest(), CHECKSUM[:8], ""])
def test_checksums_of_all_kinds(server: str, tmp_path: Path, checksum: str) -> None:
    get(server, tmp_path / "file.bin", checksum)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_what_is_there_is_not_fetched_again(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT)
    get(server, tmp_path / "file.bin")
    assert OddServer.asked == []


@pytest.mark.parametrize("left", ["file.bin.part", "file.bin"])
def test_what_an_earlier_process_left_is_gone_on_with(server: str, tmp_path: Path, left: str) -> None:
    (tmp_path / left).write_bytes(CONTENT[:1000])
    get(server, tmp_path / "file.bin")
    assert OddServer.asked == ["bytes=1000-"]


@pytest.mark.parametrize("left", [b"another file", CONTENT + b"and more", b"another file" * 100_000])
def test_what_belongs_to_another_file_is_begun_anew(server: str, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "file.bin.part").write_bytes(left)
    get(server, tmp_path / "file.bin")
    assert OddServer.asked == [f"bytes={len(left)}-", None]


def test_without_a_checksum_nothing_is_pieced_together(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"another file")
    get(server, tmp_path / "file.bin", "")
    assert OddServer.asked == [None]


@pytest.mark.parametrize(
    ("plan", "reason", "asked"),
    [
        (["silent"], "silent for 0.5 seconds", 4),
        (["404"], "HTTP Error 404: Not Found", 1),
        (["500"], "HTTP Error 500: Internal Server Error", 4),
        # The first time it gave something.
        (
            ["falls silent", "silent"],
            "silent for 0.5 seconds, 0.5 MiB are kept and the same command goes on from there",
            5,
        ),
    ],
)
def test_servers_that_do_not_answer_are_one_line(
    server: str, tmp_path: Path, plan: list[str], reason: str, asked: int
) -> None:
    OddServer.plan = plan
    started = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        get(server, tmp_path / "file.bin")
    assert str(caught.value) == f"{server}: cannot be downloaded to {tmp_path} ({reason}); try again"
    assert time.monotonic() - started < 15
    assert len(OddServer.asked) == asked


@pytest.mark.parametrize("page", [b"<html>Log in</html>", b"", b"x" * 2 * len(CONTENT)])
def test_a_page_in_place_of_the_rest_costs_nothing_of_what_came(server: str, tmp_path: Path, page: bytes) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    OddServer.plan, OddServer.another = ["another file"], page
    with pytest.raises(DownloadError) as caught:
        get(server, tmp_path / "file.bin")
    reason = (
        f"sent a file with another sha256 than {CHECKSUM}, 0.0 MiB are kept and the same command goes on from there"
    )
    assert str(caught.value) == f"{server}: cannot be downloaded to {tmp_path} ({reason}); try again"
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:1000]
    OddServer.plan = ["good"]
    get(server, tmp_path / "file.bin")
    assert OddServer.asked == ["bytes=1000-", "bytes=1000-"]


def test_a_server_that_refuses_ranges_costs_nothing_of_what_came(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    OddServer.plan = ["416", "another file"]
    with pytest.raises(DownloadError, match=rf": what arrived has another sha256 than {CHECKSUM}; try again$"):
        get(server, tmp_path / "file.bin")
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:1000]
    OddServer.plan = ["416", "good"]
    get(server, tmp_path / "file.bin")
    assert OddServer.asked == ["bytes=1000-", None] * 2


def test_a_whole_file_in_place_of_the_rest_is_taken(server: str, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"of an earlier version of the file")
    OddServer.plan = ["no ranges"]
    get(server, tmp_path / "file.bin")
    assert OddServer.asked == ["bytes=33-"]


def test_a_server_that_claims_less_sends_another_file(server: str, tmp_path: Path) -> None:
    OddServer.plan = ["claims less"]
    with pytest.raises(DownloadError, match=rf": what arrived has another sha256 than {CHECKSUM}; try again$"):
        get(server, tmp_path / "file.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_server_without_ranges_that_always_dies_is_not_asked_for_ever(server: str, tmp_path: Path) -> None:
    OddServer.plan = ["dies"]
    OddServer.content = CONTENT[:1]
    with pytest.raises(DownloadError, match="ended after 0 of 1 bytes"):
        get(server, tmp_path / "file.bin")


def test_a_disk_without_room_is_one_line_before_anything_comes(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 2**19})())
    with pytest.raises(DownloadError) as caught:
        get(server, tmp_path / "file.bin")
    assert str(caught.value) == (
        f"{tmp_path / 'file.bin.part'}: 1 MiB are still to come and 0 are free; make room, and the same command goes on"
    )


def test_a_disk_that_fills_is_one_line_and_what_came_stays(server: str, tmp_path: Path) -> None:
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(tmp_path)], check=False)
    if made.returncode:
        pytest.skip("only root makes a small disk")
    try:
        OddServer.plan = ["tells no length"]
        with pytest.raises(DownloadError) as caught:
            get(server, tmp_path / "file.bin")
        assert str(caught.value) == (
            f"{tmp_path / 'file.bin.part'}: cannot be written (No space left on device); make room, and the same "
            "command goes on"
        )
        assert (tmp_path / "file.bin.part").stat().st_size > 0
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written_is_one_line(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DownloadError, match=r"cannot be downloaded to \S+/file/folder \(.*Not a directory.*\); try"):
        get(server, tmp_path / "file" / "folder" / "file.bin")


SCRIPT = """
import sys
from pathlib import Path
from lightning_seg.transfer import Published, transfer
transfer(Published(sys.argv[1], sys.argv[2]), Path(sys.argv[3]), "try again")
"""


def fetch_elsewhere(url: str, path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", SCRIPT, url, CHECKSUM, str(path)], stderr=subprocess.PIPE, text=True)


def test_three_processes_fetch_it_once(server: str, tmp_path: Path) -> None:
    OddServer.gate = Event()
    processes = [fetch_elsewhere(server, tmp_path / "file.bin") for _ in range(3)]
    time.sleep(1.5)
    OddServer.gate.set()
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert OddServer.asked == [None]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file.bin"]


def test_a_killed_process_is_gone_on_from(server: str, tmp_path: Path) -> None:
    OddServer.plan = ["falls silent", "good"]
    with fetch_elsewhere(server, tmp_path / "file.bin") as killed:
        part = tmp_path / "file.bin.part"
        for _ in range(300):
            if part.is_file() and part.stat().st_size:
                break
            time.sleep(0.1)
        killed.kill()
    size = part.stat().st_size
    assert size > 0
    get(server, tmp_path / "file.bin")
    assert OddServer.asked == [None, f"bytes={size}-"]
