"""Pictures that a training leaves out although they are there: counted, and listed for whoever looks after them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytorch_lightning as pl

from lightning_seg.files import replacing


def count_left_out(trainer: pl.Trainer) -> dict[str, int]:
    """``{"left_out/unreadable": 3}``; the user's own data leave out none."""
    return {f"left_out/{reason}": len(paths) for reason, paths in _left_out(trainer).items()}


def list_left_out(trainer: pl.Trainer, folder: Path) -> None:
    """Write ``unreadable.txt`` and ``unlabelled.txt`` into a folder, a path per line; none where there is none."""
    for reason, paths in _left_out(trainer).items():
        with replacing(folder / f"{reason}.txt") as file:
            file.write("".join(f"{Path(path).absolute()}\n" for path in paths).encode(errors="surrogateescape"))


def _left_out(trainer: pl.Trainer) -> Mapping[str, Sequence[str]]:
    data = getattr(trainer, "datamodule", None)
    found: Mapping[str, Sequence[str]] = getattr(data, "left_out", None) or {}
    return found
