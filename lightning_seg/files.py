"""Writing files completely or not at all, and making file names safe to print."""

import hashlib
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

LONGEST_NAME = 255
"""Bytes of a file name on all common disks."""
ABANDONED = 3600
"""Seconds without a change after which a partial file of another machine is abandoned."""


@contextmanager
def replacing(path: Path, mode: str = "wb", flushed: bool = True, **options: Any) -> Iterator[IO[Any]]:
    """A new file that replaces ``path`` when the block ends without an error.

    A reader of ``path``, at any moment and however this process ends, finds the old content or the new one. Until then
    the new file is in the same folder, because moving it to another disk would not be atomic.

    Args:
        path: the file; its folder is made.
        mode: ``wb`` or ``w``.
        flushed: also after a loss of power the content is the old or the new one. It takes a few milliseconds, too much
            for thousands of predicted pictures.
        options: see ``open``.

    Raises:
        OSError: naming ``path``; the old content is still there.

    Examples:
        >>> with replacing(Path("notes/a.txt"), mode="w") as file:
        ...     _ = file.write("whole")
        >>> Path("notes/a.txt").read_text()
        'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_of(path)
    try:
        with partial.open(mode, **options) as file:
            yield file
            file.flush()
            if flushed:
                os.fsync(file.fileno())
        partial.replace(path)
        if flushed:
            _flush_folder(path.parent)
    except OSError as error:
        # Writing tells no name, and the name of the partial file would mean nothing to the user.
        if error.errno is not None:
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """As ``replacing``, for a folder: the block gets a temporary folder, which becomes visible when it is complete.

    The block has to flush its files.

    Args:
        path: the folder; no other process replaces it at the same time.

    Raises:
        OSError: if it cannot be written.
    """
    partial = _partial_of(path)
    partial.mkdir(parents=True)
    try:
        yield partial
        _flush_folder(partial)
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
        _flush_folder(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_text(path: Path, text: str) -> None:
    """``path.write_text``, complete or not at all; bytes of names that are no UTF-8 are kept."""
    with replacing(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def remove_left_overs(folder: Path, pattern: str = "**/.*.partial") -> None:
    """Remove partial files of killed processes, from ``replacing`` or ``replacing_folder``."""
    for path in folder.glob(pattern):
        if _is_left_over(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def printable(text: str) -> str:
    """``text`` in one line without control characters: line breaks and escapes are written as in Python.

    Examples:
        >>> len(printable(chr(10)))  # a backslash and an n
        2
    """
    return "".join(one if one.isprintable() or one == " " else one.encode("unicode_escape").decode() for one in text)


def _partial_of(path: Path) -> Path:
    name, owner = path.name, f"{socket.gethostname()}.{os.getpid()}.partial"
    if len(os.fsencode(f".{name}.{owner}")) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return path.with_name(f".{name}.{owner}")


def _is_left_over(path: Path) -> bool:
    """Whether nobody writes a partial file any more."""
    match = re.fullmatch(r"\..+\.(\d+)\.partial", path.name, re.DOTALL)
    if match is None:
        return False
    if path.name.endswith(f".{socket.gethostname()}.{match[1]}.partial") and sys.platform != "win32":
        # This process has just begun, so its number is that of an earlier one, as in containers.
        return int(match[1]) == os.getpid() or not _is_alive(int(match[1]))
    with suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > ABANDONED
    return False


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _flush_folder(folder: Path) -> None:
    """Write the new name to the disk, too."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some disks of the network know no such request; the content is flushed anyway.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
