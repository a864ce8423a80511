"""Published archives to a dataset folder."""

import hashlib
import logging
import shutil
import tarfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from torchvision.datasets.utils import download_url, extract_archive

from lightning_seg.errors import DownloadError

log = logging.getLogger(__name__)


class Archive(NamedTuple):
    """A published file, its checksum and the folder that it unpacks to."""

    filename: str
    checksum: str  # hexadecimal digits: 32 of MD5 or 64 of SHA-256
    creates: str  # an archive that holds no such folder is unpacked into it

    @property
    def algorithm(self) -> str:
        return "md5" if len(self.checksum) == 32 else "sha256"

    def is_intact(self, path: Path) -> bool:
        """Whether the file is there and is the published one."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest() == self.checksum


def fetch(base_url: str, archives: Sequence[Archive], root: Path) -> None:
    """Download, verify and unpack every archive whose folder is not in ``root`` yet; archives are removed afterwards.

    Raises:
        DownloadError: if an archive cannot be fetched, or differs from its checksum.
    """
    for archive in archives:
        if not (root / archive.creates).exists():
            log.warning("no %s in %s: downloading %s there", archive.creates, root, archive.filename)
            _download(base_url + archive.filename, archive, root)
            _unpack(archive, root)


def _download(url: str, archive: Archive, root: Path) -> None:
    remedy = "try again, or fetch it elsewhere and give its folder with --data.root; --data.source synthetic needs none"
    target = root / archive.filename
    if archive.is_intact(target):
        return
    target.unlink(missing_ok=True)
    try:
        download_url(url, str(root), archive.filename)
    except (OSError, RuntimeError, HTTPException) as error:
        target.unlink(missing_ok=True)
        raise DownloadError(f"{url}: cannot be downloaded to {root} ({error}); {remedy}") from error
    if not archive.is_intact(target):
        target.unlink()
        raise DownloadError(f"{url}: what arrived has another {archive.algorithm} than {archive.checksum}; {remedy}")


def _unpack(archive: Archive, root: Path) -> None:
    # Moved into place when complete: an interrupted run must not leave a folder that looks finished.
    partial = root / f".{archive.creates}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        extract_archive(str(root / archive.filename), str(partial))
        folder = partial / archive.creates
        (folder if folder.is_dir() else partial).rename(root / archive.creates)
    except (OSError, tarfile.TarError) as error:
        raise DownloadError(
            f"{root / archive.filename}: cannot be unpacked ({error}); free space and try again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    (root / archive.filename).unlink()
