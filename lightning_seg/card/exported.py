"""Exported files beside a card: whether they have the weights that it is about."""

import logging
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from lightning_seg.errors import ConfigError, one_line
from lightning_seg.model_file import PROPERTY, ModelFile
from lightning_seg.serving.model_file import read_metadata

log = logging.getLogger(__name__)


def remarks_of(files: Iterable[Path], checkpoint: Path, digest: str) -> dict[str, str]:
    """What is to be said of each file, by its name; empty if it is of this checkpoint, or does not tell.

    Args:
        files: that ``lightning-seg export`` has written.
        checkpoint: that the card is about.
        digest: of its file.
    """
    return {path.name: _remark(path, checkpoint, digest) for path in files}


def _remark(path: Path, checkpoint: Path, digest: str) -> str:
    try:
        about = _metadata(path)
    except (ConfigError, SafetensorError, OSError) as error:
        log.warning("%s: it does not tell of which checkpoint it is (%s)", path.name, one_line(error)[:200])
        return ""
    if about is None or about.checkpoint_sha256 in (None, digest):
        return ""
    epoch = "" if about.epoch is None else f", of epoch {about.epoch + 1}"
    log.warning("%s is of another checkpoint than %s%s; export the run anew", path.name, checkpoint.name, epoch)
    return f"It was exported from another checkpoint{epoch}, so the numbers of this card are not its own."


def _metadata(path: Path) -> ModelFile | None:
    """None of files that hold none in a way that is read here."""
    if path.suffix == ".onnx":
        return read_metadata(path)
    if path.suffix != ".safetensors":
        return None
    with safe_open(path, "np") as file:
        return ModelFile.from_json((file.metadata() or {}).get(PROPERTY), path.name)
