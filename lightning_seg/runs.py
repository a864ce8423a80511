"""A run folder: ``runs/<name>/version_N`` with its config, checkpoints, logs and results."""

import re
from pathlib import Path
from typing import NamedTuple

from lightning_seg.errors import ConfigError


class Run(NamedTuple):
    """A folder that ``fit`` wrote."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def checkpoint(self, name: str) -> Path:
        """``best`` or ``last``.

        Raises:
            ConfigError: if the run has not saved it.
        """
        path = self.folder / "checkpoints" / f"{name}.ckpt"
        if not path.is_file():
            raise ConfigError(
                f"{self.folder}: no checkpoints/{name}.ckpt there; the run ended before its first epoch did"
            )
        return path


def find_run(path: str | Path) -> Run:
    """The run in ``path``, or the newest ``version_N`` below it.

    Raises:
        ConfigError: if there is none.
    """
    folder = Path(path)
    if (folder / "config.yaml").is_file():
        return Run(folder)
    versions = [version for version in folder.glob("version_*") if (version / "config.yaml").is_file()]
    if versions:
        return Run(max(versions, key=_number))
    raise ConfigError(f"{folder}: no run there (no config.yaml, no version_N); give a folder that fit has written")


def _number(version: Path) -> int:
    match = re.fullmatch(r"version_(\d+)", version.name)
    return int(match[1]) if match else -1
