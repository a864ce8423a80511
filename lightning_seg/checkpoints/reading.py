"""Reading checkpoints: nothing of a file is run, and a file is read once."""

import re
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from lightning_seg.errors import ConfigError, one_line


def read_checkpoint(path: str | Path | IO[bytes]) -> dict[str, Any]:
    """The content of a checkpoint, which nobody changes: a file is read once, and again when it has changed.

    Args:
        path: a file, whose tensors have shapes and no values; an address (http, https) that torch downloads and keeps;
            or an open file, which is rewound.

    Raises:
        ConfigError: if nothing can be read, the file would run code, or it is no mapping.
    """
    try:
        content = _read(path)
    # torch.load answers a broken file with errors of many kinds.
    except Exception as error:
        raise ConfigError(
            f"{source_of(path)}: no checkpoint can be read from it{refused_call(error)}; give the .ckpt of a run"
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(f"{source_of(path)}: no checkpoint, but a {type(content).__name__}; give the .ckpt of a run")
    return content


def source_of(path: str | Path | IO[bytes]) -> str:
    """How messages call it."""
    return str(path) if isinstance(path, str | Path) else "the checkpoint"


def _read(path: str | Path | IO[bytes]) -> Any:
    if not isinstance(path, str | Path):
        content = torch.load(path, map_location="cpu", weights_only=True)
        path.seek(0)
        return content
    if ":" in str(path).partition("/")[0] and not Path(path).is_file():
        return TorchCheckpointIO().load_checkpoint(str(path), weights_only=True)
    found = Path(path).stat()
    return _read_file(Path(path).absolute(), (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=8)
def _read_file(path: Path, version: tuple[int, ...]) -> Any:
    """A command asks for the same few files again and again; without values they take no room."""
    return torch.load(path, map_location="meta", weights_only=True, mmap=True)


def refused_call(error: Exception) -> str:
    """The function that a file would have called while being read, from the error of ``torch.load``; empty for other
    errors.
    """
    found = re.search(r"unsupported global:?(?: global)? ([\w.]+)", one_line(error), re.IGNORECASE)
    return f" (it would call {found[1]})" if found else ""
