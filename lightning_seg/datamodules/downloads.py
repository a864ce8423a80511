"""Downloading published archives into a dataset folder."""

import logging
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path
from typing import NamedTuple

from lightning_seg.errors import DownloadError, one_line
from lightning_seg.locks import taking_turns
from lightning_seg.transfer import Published, transfer

log = logging.getLogger(__name__)
REMEDY = "try again, or fetch it elsewhere and give its folder with --data.root; --data.source synthetic needs none"
SET_ID = 0o6000
"""Permission bits by which a program runs as its owner or group."""


class Archive(NamedTuple):
    """A published ``.tar``, ``.tar.gz`` or the like, its checksum, and the folder that it unpacks to."""

    filename: str
    checksum: str  # hexadecimal digits: 32 of MD5 or 64 of SHA-256
    creates: str  # an archive that holds no such folder is unpacked into it


def fetch(base_url: str, archives: Sequence[Archive], root: Path) -> None:
    """Download, verify and unpack each archive whose folder is missing in ``root``; the archives are removed
    afterwards.

    One process does it, and the others wait.

    Raises:
        DownloadError: if an archive cannot be fetched, has another checksum, or has members that would be written
            elsewhere.
    """
    for archive in archives:
        if not (root / archive.creates).exists():
            with _writable(root), taking_turns(root / f".{archive.creates}.lock"):
                _fetch(base_url, archive, root)


@contextmanager
def _writable(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(f"{root}: cannot be written ({error.strerror or error}); {REMEDY}") from error


def _fetch(base_url: str, archive: Archive, root: Path) -> None:
    if (root / archive.creates).exists():
        # By another process, meanwhile.
        return
    log.warning("no %s in %s: downloading %s there", archive.creates, root, archive.filename)
    transfer(Published(base_url + archive.filename, archive.checksum), root / archive.filename, REMEDY)
    _unpack(archive, root)


def _unpack(archive: Archive, root: Path) -> None:
    # Moved into place when complete: an interrupted run must not leave a folder that looks finished.
    partial, path = root / f".{archive.creates}.partial", root / archive.filename
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with tarfile.open(path) as file:
            file.extractall(partial, filter=harmless)
            _check_end(file)
        folder = partial / archive.creates
        (folder if folder.is_dir() else partial).rename(root / archive.creates)
    except tarfile.FilterError as error:
        raise DownloadError(
            f"{path}: not unpacked, since it holds what would lie or run elsewhere: {one_line(error)}; if you trust "
            "it, unpack it yourself and give the folder with --data.root"
        ) from error
    # Of a file that was cut off before its checksum was taken, each library says it in its own way.
    except (tarfile.TarError, EOFError, zlib.error, LZMAError, ValueError) as error:
        raise DownloadError(f"{path}: cannot be unpacked ({one_line(error)}); remove it, and {REMEDY}") from error
    except OSError as error:
        raise DownloadError(f"{path}: cannot be unpacked ({error}); free space and try again") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    path.unlink()


def _check_end(file: tarfile.TarFile) -> None:
    """Raises ReadError if an archive was cut off between members, which Python does not notice."""
    assert file.fileobj is not None
    # The block of zeros, which was the last one to be read.
    if file.fileobj.tell() != file.offset + tarfile.BLOCKSIZE:
        raise tarfile.ReadError("unexpected end of data")


class SetIdError(tarfile.FilterError):
    """A member that is a program with set-user-id or set-group-id bits."""

    def __init__(self, member: tarfile.TarInfo) -> None:
        self.tarinfo = member
        super().__init__(f"{member.name!r}, which would run as its owner or group")


def harmless(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Python's ``data`` filter, which refuses devices and members or links that point outside of the folder.

    Raises:
        FilterError: naming the member; also for an absolute path or set-id bits, which Python's filter silently
            removes.
    """
    if member.name.startswith("/"):
        raise tarfile.AbsolutePathError(member)
    if member.isfile() and member.mode & SET_ID:
        raise SetIdError(member)
    return tarfile.data_filter(member, folder)
