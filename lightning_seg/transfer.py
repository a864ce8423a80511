"""Downloads of published files: verified, by one process at a time, continued after an interruption."""

import hashlib
import logging
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO, Any, NamedTuple, cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from lightning_seg.errors import DownloadError
from lightning_seg.locks import taking_turns
from lightning_seg.progress import open_bar

log = logging.getLogger(__name__)
SILENCE = 30.0
"""Seconds without an answer or a byte, after which the request is repeated."""
TRIES = 4
"""Failed requests in a row before giving up."""
PAUSE = 1.0
"""Seconds before the request is repeated; doubled each time."""
CHUNK = 2**18
# The name under which torchvision fetches these files; some servers refuse Python's own.
HEADERS = {"User-Agent": "pytorch/vision"}


class Published(NamedTuple):
    """A file on a server.

    ``checksum`` are hexadecimal digits: 32 of MD5, 64 of SHA-256 or the first ones of those; empty if none is
    published.
    """

    url: str
    checksum: str

    @property
    def algorithm(self) -> str:
        return "md5" if len(self.checksum) == 32 else "sha256"

    def is_intact(self, path: Path) -> bool:
        """Whether the file is there and is the published one."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest().startswith(self.checksum)


def transfer(published: Published, path: Path, remedy: str) -> None:
    """Download to ``path``, unless it holds the file already.

    Received bytes stay in ``path`` plus ``.part``, however the process ends, and the next call continues there. A
    server that cannot continue, or sends a login page instead, sends a whole file: it replaces the part only if it is
    the published one. One process downloads and the others wait.

    Args:
        published: the file.
        path: its destination; the folder is made.
        remedy: end of the message if it cannot be fetched.

    Raises:
        DownloadError: if it cannot be fetched or written, or differs from its checksum.
    """
    try:
        with taking_turns(path.with_name(f".{path.name}.lock")):
            if not published.is_intact(path):
                _transfer(published, path, remedy)
    except OSError as error:
        raise DownloadError(f"{published.url}: cannot be downloaded to {path.parent} ({error}); {remedy}") from error


def _transfer(published: Published, path: Path, remedy: str) -> None:
    part = path.with_name(f"{path.name}.part")
    if path.is_file():
        # Half of it, as earlier versions have left it under this name.
        path.replace(part)
    if not published.checksum:
        part.unlink(missing_ok=True)
    before = _size(part)
    is_pieced = _arrive(published, part, remedy)
    if is_pieced and not published.is_intact(part):
        log.warning("%s: what was there belonged to another file; beginning anew", part)
        with _aside(part) as whole:
            _arrive(published, whole, remedy)
            if published.is_intact(whole):
                whole.replace(part)
    if not published.is_intact(part):
        if _size(part) != before:
            part.unlink()
        raise DownloadError(
            f"{published.url}: what arrived has another {published.algorithm} than {published.checksum}; {remedy}"
        )
    part.replace(path)


@contextmanager
def _aside(part: Path) -> Iterator[Path]:
    """Path of a whole file that arrives beside a part of one."""
    whole = part.with_name(f"{part.name}.whole")
    whole.unlink(missing_ok=True)
    try:
        yield whole
    finally:
        whole.unlink(missing_ok=True)


class _CutError(Exception):
    """The server ended before the file was complete."""


class _OtherError(Exception):
    """The server sent another file than the published one, in place of its rest."""


def _arrive(published: Published, part: Path, remedy: str) -> bool:
    """Complete ``part``, and return whether it consists of several pieces."""
    answers, in_vain, most = min(_size(part), 1), 0, _size(part)
    while True:
        try:
            with _answer(published.url, _size(part)) as answer:
                answers += 1
                _take(answer, part, published)
            return answers > 1
        except HTTPError as error:
            if error.code == 416:
                # There is nothing behind what we have.
                return True
            failure: Exception = error
        except (URLError, HTTPException, TimeoutError, ConnectionError, _CutError, _OtherError) as error:
            failure = error
        in_vain, most = (0 if _size(part) > most else in_vain + 1), max(most, _size(part))
        if in_vain >= TRIES or _is_final(failure, answers):
            # A server may also claim a file to be longer than it is.
            if published.checksum and published.is_intact(part):
                return True
            kept = f", {most / 2**20:.1f} MiB are kept and the same command goes on from there" if most else ""
            raise DownloadError(
                f"{published.url}: cannot be downloaded to {part.parent} ({_reason(failure)}{kept}); {remedy}"
            ) from failure
        log.warning("%s: %s; asking again", published.url, _reason(failure))
        time.sleep(PAUSE * 2**in_vain)


def _is_final(failure: Exception, answers: int) -> bool:
    """Whether repeating is useless: the server has refused, or does not exist."""
    if isinstance(failure, HTTPError):
        return failure.code < 500 and failure.code not in (408, 429)
    if isinstance(failure, _OtherError):
        return True
    return isinstance(failure, URLError) and not isinstance(failure.reason, TimeoutError) and answers == 0


def _reason(failure: Exception) -> str:
    cause = failure.reason if isinstance(failure, URLError) and not isinstance(failure, HTTPError) else failure
    if isinstance(cause, TimeoutError):
        return f"silent for {SILENCE:g} seconds"
    return " ".join(str(cause).split()) or type(cause).__name__


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _answer(url: str, start: int) -> HTTPResponse:
    wanted = {"Range": f"bytes={start}-"} if start else {}
    try:
        return cast(HTTPResponse, urlopen(Request(url, headers={**HEADERS, **wanted}), timeout=SILENCE))
    except ValueError as error:
        # A server may lead to what is no address.
        raise URLError(error) from error


def _take(answer: HTTPResponse, part: Path, published: Published) -> None:
    """Receive the rest of the file, or all of it if the server starts again."""
    start = _start(answer)
    if start or not _size(part):
        _append(answer, part, start)
        return
    with _aside(part) as whole:
        _append(answer, whole, 0)
        if not published.is_intact(whole):
            raise _OtherError(f"sent a file with another {published.algorithm} than {published.checksum}")
        whole.replace(part)


def _append(answer: HTTPResponse, part: Path, start: int) -> None:
    if start > _size(part):
        raise _CutError(f"sent what lies behind byte {start}, asked for {_size(part)}")
    total = None if answer.length is None else start + answer.length
    with _writing(part, total, start) as file, _bar(part, total, start) as bar:
        file.truncate(start)
        file.seek(start)
        while chunk := _read(answer):
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and _size(part) < total:
        raise _CutError(f"ended after {_size(part)} of {total} bytes")


def _read(answer: HTTPResponse) -> bytes:
    try:
        # What is there, instead of waiting for a whole chunk.
        return answer.read1(CHUNK)
    except (TimeoutError, HTTPException, ConnectionError):
        raise
    except OSError as error:
        # Of the network; those of the disk are told apart by it.
        raise _CutError(str(error)) from error


def _start(answer: HTTPResponse) -> int:
    """The first byte of the answer: servers without ranges send the whole file."""
    if answer.status != 206:
        return 0
    first = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    # No file is as long as a number of more digits says.
    return int(first) if re.fullmatch(r"[0-9]{1,18}", first) else 0


class _DiskError(DownloadError):
    """The file cannot be written."""


@contextmanager
def _writing(part: Path, total: int | None, start: int) -> Iterator[IO[bytes]]:
    """Opens the file; errors of the disk become one line."""
    try:
        if total is not None and (free := shutil.disk_usage(part.parent).free) < total - start:
            raise _DiskError(
                f"{part}: {(total - start) / 2**20:.0f} MiB are still to come and {free / 2**20:.0f} are free; make "
                "room, and the same command goes on"
            )
        with part.open("r+b" if part.exists() else "wb") as file:
            yield file
    except (TimeoutError, ConnectionError):
        raise
    except OSError as error:
        raise _DiskError(
            f"{part}: cannot be written ({error.strerror or error}); make room, and the same command goes on"
        ) from error


def _bar(part: Path, total: int | None, start: int) -> Any:
    return open_bar(part.name.removesuffix(".part"), total, initial=start, unit="B", unit_scale=True)
