"""Published archives to a dataset folder."""

import logging
import shutil
import tarfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from torchvision.datasets.utils import check_integrity, download_url, extract_archive

from lightning_seg.errors import DownloadError

log = logging.getLogger(__name__)


class Archive(NamedTuple):
    """A published file, its checksum and the folder that it unpacks to."""

    filename: str
    md5: str
    creates: str


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
    try:
        download_url(url, str(root), archive.filename, archive.md5)
    except (OSError, RuntimeError, HTTPException) as error:
        target = root / archive.filename
        if target.is_file() and not check_integrity(target, archive.md5):
            target.unlink()
            raise DownloadError(f"{url}: what arrived has another md5 than {archive.md5}; {remedy}") from error
        raise DownloadError(f"{url}: cannot be downloaded to {root} ({error}); {remedy}") from error


def _unpack(archive: Archive, root: Path) -> None:
    # Moved into place when complete: an interrupted run must not leave a folder that looks finished.
    partial = root / f".{archive.creates}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        extract_archive(str(root / archive.filename), str(partial))
        (partial / archive.creates).rename(root / archive.creates)
    except (OSError, tarfile.TarError) as error:
        raise DownloadError(
            f"{root / archive.filename}: cannot be unpacked ({error}); free space and try again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    (root / archive.filename).unlink()
