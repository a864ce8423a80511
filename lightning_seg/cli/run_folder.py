"""The folder of a run: made by one process, and used by one training command at a time."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from lightning_seg.callbacks.csv_logger import RESULTS_LOCK
from lightning_seg.callbacks.epoch_record import RECORD_FILE
from lightning_seg.errors import ConfigError
from lightning_seg.files import remove_left_overs
from lightning_seg.locks import HeldError, holding
from lightning_seg.process_tree import is_first_process
from lightning_seg.runs import Run, make_version

FIT_LOCK = ".fit.lock"
UNUSED = (FIT_LOCK, RESULTS_LOCK, RECORD_FILE, "events.out.tfevents.*", "hparams.yaml")
"""Files that exist before anything is trained or measured: locks, arguments, the number of parameters."""


def new_folder(given: str, run: Run | None) -> Path:
    """The folder of ``--run_folder``.

    Raises:
        ConfigError: if it cannot be the folder of a new run.
    """
    folder = Path(given).expanduser().resolve()
    if run is not None:
        raise ConfigError(f"run_folder {given}: {run.folder} stays where it is; leave --run_folder out")
    if (folder / "config.yaml").is_file():
        raise ConfigError(f"run_folder {given}: there is a run already; give another, or --run {given}")
    return folder


def choose_version(logger: Logger) -> list[Path]:
    """Make the folder of a logger of Lightning whose version was not given; only the first process does it.

    Lightning makes it when the first value is logged; until then another command would get the same number.

    Returns:
        The new folders, the inner ones first.
    """
    open_version = isinstance(logger, CSVLogger | TensorBoardLogger) and logger._version is None
    if not open_version or not is_first_process():
        return []
    assert isinstance(logger, CSVLogger | TensorBoardLogger)
    around = missing(Path(logger.root_dir))
    logger._version = make_version(Path(logger.root_dir))
    # It is there, and nothing in it is replaced.
    warnings.filterwarnings("ignore", f"Experiment logs directory {re.escape(logger.log_dir)} exists")
    return [Path(logger.log_dir), *around]


def missing(folder: Path) -> list[Path]:
    """A folder and its parents, as far as they do not exist."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def folder_of(loggers: Sequence[Any]) -> Path | None:
    """Folder of the first logger, if it is the folder of one run."""
    first = next(iter(loggers), None)
    return Path(first.log_dir) if isinstance(first, CSVLogger | TensorBoardLogger) else None


@contextmanager
def training_alone(folder: Path, run: Run | None) -> Iterator[None]:
    """No other command trains in ``folder`` until the block or the process ends, in any way.

    Args:
        folder: of the run.
        run: the continued run.

    Raises:
        ConfigError: if another command trains there, or has done so and this one does not continue it.
    """
    try:
        with holding(folder / FIT_LOCK):
            if run is not None:
                remove_left_overs(folder)
            elif (folder / "config.yaml").is_file():
                raise ConfigError(f"{folder}: there is a run already; give another folder, or --run {folder}")
            yield
    except HeldError as held:
        raise ConfigError(f"{folder}: {held.owner} trains there; wait for it, or end it") from None


def remove_unused(folders: Sequence[Path]) -> None:
    """Remove a folder in which nothing was trained, and the parents that were made for it."""
    # What others have put there meanwhile stays.
    with suppress(OSError):
        if folders and all(any(fnmatch(path.name, name) for name in UNUSED) for path in folders[0].iterdir()):
            for path in folders[0].iterdir():
                path.unlink()
            for folder in folders:
                folder.rmdir()
