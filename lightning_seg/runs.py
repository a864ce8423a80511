"""A run folder: ``runs/<name>/version_N`` with its config, checkpoints, logs and results."""

import logging
import re
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.checkpoints import HYPER_PARAMETERS, check_content, read_checkpoint
from lightning_seg.errors import ConfigError

log = logging.getLogger(__name__)


class Run(NamedTuple):
    """A folder that ``fit`` wrote, and one of its checkpoints if that was named."""

    folder: Path
    chosen: Path | None = None

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def checkpoint(self, name: str) -> Path:
        """The chosen one; without a choice ``best`` or ``last``.

        Raises:
            ConfigError: if the run has not saved it.
        """
        path = self.chosen or self.folder / "checkpoints" / f"{name}.ckpt"
        if not path.is_file():
            raise ConfigError(
                f"{self.folder}: no checkpoints/{name}.ckpt there; give a run that has finished an epoch and validated"
            )
        return path


def find_run(path: str | Path) -> Run:
    """The run in ``path``, the newest ``version_N`` below it, or the run that a checkpoint file belongs to.

    Raises:
        ConfigError: if there is none.
    """
    folder = Path(path).expanduser()
    if folder.is_file() and folder.suffix in (".yaml", ".yml"):
        raise ConfigError(f"{folder}: a config is no run; give its folder {folder.parent}, or --config {folder}")
    if folder.is_file():
        return _run_of(folder)
    if (folder / "config.yaml").is_file():
        return Run(folder)
    versions = [version for version in folder.glob("version_*") if (version / "config.yaml").is_file()]
    if versions:
        # One that ended before its first epoch did has nothing to go on from.
        usable = [version for version in versions if any((version / "checkpoints").glob("*.ckpt"))]
        newest, chosen = max(versions, key=_number), max(usable or versions, key=_number)
        if chosen != newest:
            log.warning("%s has no checkpoint, so %s is taken", newest, chosen)
        return Run(chosen)
    raise ConfigError(f"{folder}: no run there (no config.yaml, no version_N); give a folder that fit has written")


def _run_of(checkpoint: Path) -> Run:
    folder = next((parent for parent in checkpoint.parents[:2] if (parent / "config.yaml").is_file()), None)
    if folder is None:
        raise ConfigError(
            f"{checkpoint}: no config.yaml in its folder or the one above; give --config CONFIG --ckpt_path CHECKPOINT"
        )
    return Run(folder, checkpoint)


def find_checkpoint(path: str | Path) -> Path:
    """A checkpoint file as it is, otherwise the best of the run that ``find_run`` finds."""
    file = Path(path).expanduser()
    return file if file.is_file() else find_run(file).checkpoint("best")


def epochs_done(checkpoint: Path) -> int:
    """How many epochs a checkpoint has been trained for."""
    done: int = read_checkpoint(checkpoint)["epoch"] + 1
    return done


def task_arguments(checkpoint: Path) -> dict[str, Any]:
    """What the constructor of a checkpoint's task received, class names among it; empty for another library's.

    Raises:
        ConfigError: if these are more than plain values.
    """
    content = read_checkpoint(checkpoint)
    check_content(content, checkpoint)
    return dict(content.get(HYPER_PARAMETERS) or {})


def _number(version: Path) -> int:
    match = re.fullmatch(r"version_(\d+)", version.name)
    return int(match[1]) if match else -1
