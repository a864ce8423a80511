"""Archives as strangers make them."""

import bz2
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seg.datamodules.downloads import Archive, fetch
from lightning_seg.errors import DownloadError

Publish = Callable[[list[tarfile.TarInfo]], Archive]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    info.size = 4 if kind == tarfile.REGTYPE else 0
    return info


def pack(path: Path, members: list[tarfile.TarInfo], mode: str = "w:gz") -> Archive:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for info in members:
            file.addfile(info, io.BytesIO(b"data"[: info.size]))
    return published(path)


def published(path: Path) -> Archive:
    return Archive(path.name, hashlib.sha256(path.read_bytes()).hexdigest(), creates="pictures")


@pytest.mark.parametrize(
    "bad",
    [
        member("../outside.txt"),
        member("pictures/../../outside.txt"),
        member("/outside.txt"),
        member("pictures/link", tarfile.SYMTYPE, "../../../../etc/passwd"),
        member("pictures/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("pictures/link", tarfile.LNKTYPE, "../outside.txt"),
        member("pictures/device", tarfile.CHRTYPE),
        member("pictures/pipe", tarfile.FIFOTYPE),
        member("pictures/program", mode=0o4755),
        member("pictures/program", mode=0o2755),
    ],
    ids=lambda info: f"{info.name} {info.linkname}",
)
def test_what_would_lie_or_run_elsewhere_is_refused_by_name(
    bad: tarfile.TarInfo, tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    (tmp_path / "www").mkdir()
    archive = pack(tmp_path / "www" / "a.tar.gz", [member("pictures/1.jpg"), bad])
    root = tmp_path / "deep" / "root"
    with pytest.raises(DownloadError) as caught:
        fetch(serve(tmp_path / "www"), [archive], root)
    line = str(caught.value)
    assert "\n" not in line
    assert bad.name in line
    assert line.startswith(f"{root / 'a.tar.gz'}: not unpacked, since it holds what would lie or run elsewhere: ")
    assert [path.name for path in root.iterdir()] == ["a.tar.gz"]
    assert not list(tmp_path.rglob("outside.txt"))


def test_links_inside_and_modes_are_kept(tmp_path: Path, serve: Callable[[Path], str]) -> None:
    (tmp_path / "www").mkdir()
    folder = member("pictures", tarfile.DIRTYPE, mode=0o2755)
    link = member("pictures/2.jpg", tarfile.SYMTYPE, "1.jpg")
    archive = pack(tmp_path / "www" / "a.tar.gz", [folder, member("pictures/1.jpg", mode=0o644), link])
    fetch(serve(tmp_path / "www"), [archive], tmp_path / "root")
    assert (tmp_path / "root" / "pictures" / "2.jpg").read_bytes() == b"data"
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["pictures"]


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_an_archive_that_was_cut_before_its_checksum_was_taken_is_one_line(
    mode: str, tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    (tmp_path / "www").mkdir()
    path = tmp_path / "www" / "a.tar"
    pack(path, [member(f"pictures/{number}.jpg") for number in range(500)], mode)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + 100])
    with pytest.raises(DownloadError, match=r"^\S+root/a.tar: cannot be unpacked \([^\n]+\); remove it, and try again"):
        fetch(serve(tmp_path / "www"), [published(path)], tmp_path / "root")
    assert [one.name for one in (tmp_path / "root").iterdir()] == ["a.tar"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
@pytest.mark.parametrize("size", [1024, 1536, 1540, 2047])
def test_an_archive_without_an_end_is_one_line(
    mode: str, size: int, tmp_path: Path, serve: Callable[[Path], str]
) -> None:
    (tmp_path / "www").mkdir()
    plain, path = tmp_path / "plain.tar", tmp_path / "www" / "a.tar"
    # Blocks of 512 bytes: two for each member, and zeros from 2,048 on.
    pack(plain, [member("pictures/1.jpg"), member("pictures/2.jpg")], "w")
    content = plain.read_bytes()
    assert not any(content[2048:])
    kinds: dict[str, Callable[[bytes], bytes]] = {"w": bytes, "w:gz": gzip.compress, "w:bz2": bz2.compress}
    path.write_bytes(kinds[mode](content[:size]))
    with pytest.raises(DownloadError, match=r"^\S+root/a.tar: cannot be unpacked \(unexpected end of data\); "):
        fetch(serve(tmp_path / "www"), [published(path)], tmp_path / "root")
    path.write_bytes(kinds[mode](content))
    fetch(serve(tmp_path / "www"), [published(path)], tmp_path / "other")
    assert (tmp_path / "other" / "pictures" / "2.jpg").read_bytes() == b"data"


SCRIPT = """
import sys
from pathlib import Path
from lightning_seg.datamodules.downloads import Archive, fetch
fetch(sys.argv[1], [Archive("a.tar.gz", sys.argv[2], "pictures")], Path(sys.argv[3]))
"""


def test_three_processes_prepare_one_folder(tmp_path: Path, serve: Callable[[Path], str]) -> None:
    (tmp_path / "www").mkdir()
    archive = pack(tmp_path / "www" / "a.tar.gz", [member(f"pictures/{number}.jpg") for number in range(300)])
    root, url = tmp_path / "root", serve(tmp_path / "www")
    command = [sys.executable, "-c", SCRIPT, url, archive.checksum, str(root)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=100)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert len(list((root / "pictures").iterdir())) == 300
    assert [path.name for path in root.iterdir()] == ["pictures"]
    assert sum("downloading a.tar.gz" in one for one in said) == 1
