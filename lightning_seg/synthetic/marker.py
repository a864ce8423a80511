"""The marker file of synthetic folders, with their parameters; folders without it are never touched."""

import errno
import glob
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from lightning_seg.errors import DataError
from lightning_seg.locks import taking_turns

SYNTHETIC_MARKER = "synthetic.json"
FORMAT = 2
LOST_RACE = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOENT)


def read_marker(root: str | Path) -> dict[str, Any] | None:
    """The marker's content; None if there is no marker of this package."""
    try:
        content = json.loads((Path(root) / SYNTHETIC_MARKER).read_text())
    # Of deep nesting.
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) and {"dataset", "format"} <= content.keys() else None


def is_synthetic(root: str | Path) -> bool:
    return read_marker(root) is not None


def holds_synthetic(root: str | Path, dataset: str) -> bool:
    """Whether ``root`` holds this dataset, with any parameters.

    A datamodule leaves it alone then: somebody may have chosen other numbers, and runs with other seeds must not
    replace each other's pictures.
    """
    content = read_marker(root) or {}
    return (content.get("dataset"), content.get("format")) == (dataset, FORMAT)


def ensure_synthetic(root: str | Path, name: str, write: Callable[[Path], None], parameters: dict[str, Any]) -> bool:
    """Writes the synthetic dataset ``name`` to ``root`` if needed, and returns whether it was written.

    ``write`` fills a folder beside ``root``, which is moved to its place when complete. One process writes and the
    others wait; files of killed processes beside ``root`` are removed. The same synthetic dataset with other parameters
    is replaced.

    Raises:
        DataError: ``root`` holds something else, or cannot be written.
    """
    root = Path(root).expanduser().resolve()
    wanted = {"dataset": name, **parameters, "format": FORMAT}
    try:
        while not _is_done(root, wanted):
            with taking_turns(root.with_name(f".{root.name}.lock")):
                _remove_left_overs(root)
                if not _is_done(root, wanted) and _write_and_move(root, write, wanted):
                    return True
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{root}: cannot write a synthetic dataset there ({reason}); give another root") from error
    return False


def _remove_left_overs(root: Path) -> None:
    """Removes the files of killed writers; those that live hold the lock."""
    for path in root.parent.glob(f".{glob.escape(root.name)}.*"):
        if re.fullmatch(r"[0-9a-f]{32}(\.old)?", path.name.removeprefix(f".{root.name}.")):
            shutil.rmtree(path, ignore_errors=True)


def _is_done(root: Path, wanted: dict[str, Any]) -> bool:
    content = read_marker(root)
    if content is None and root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(
            f"{root}: not empty and without {SYNTHETIC_MARKER}, so it will not be overwritten with synthetic data; "
            "give another root"
        )
    if content is not None and content["dataset"] != wanted["dataset"]:
        raise DataError(
            f"{root} holds synthetic {content['dataset']}, which will not be replaced with {wanted['dataset']}; give "
            "another root"
        )
    return content == wanted


def _write_and_move(root: Path, write: Callable[[Path], None], wanted: dict[str, Any]) -> bool:
    """False if another process has created ``root`` in the meantime."""
    # Not tempfile.mkdtemp, whose folders only their owner may read.
    fresh = root.with_name(f".{root.name}.{uuid4().hex}")
    fresh.mkdir(parents=True)
    try:
        write(fresh)
        (fresh / SYNTHETIC_MARKER).write_text(json.dumps(wanted, indent=2) + "\n")
        return _move(fresh, root, wanted)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _move(fresh: Path, root: Path, wanted: dict[str, Any]) -> bool:
    old = fresh.with_name(f"{fresh.name}.old")
    present = read_marker(root)
    if present == wanted:
        return False
    try:
        if present is not None:
            root.rename(old)
        elif root.exists():
            root.rmdir()
        fresh.rename(root)
    except OSError as error:
        if error.errno not in LOST_RACE:
            raise
        return False
    finally:
        shutil.rmtree(old, ignore_errors=True)
    return True
