"""The folder of a run: made by one process, and used by one training command at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint, SpikeDetection

from lightning_seg.callbacks.csv_logger import RESULTS_LOCK
from lightning_seg.errors import ConfigError
from lightning_seg.files import remove_left_overs
from lightning_seg.locks import HeldError, holding
from lightning_seg.process_tree import is_first_process
from lightning_seg.run_files import RECORD_FILE
from lightning_seg.runs import FIT_LOCK, Run, make_version

UNUSED = (FIT_LOCK, RESULTS_LOCK, RECORD_FILE, "events.out.tfevents.*", "hparams.yaml")
"""Files that exist before anything is trained or measured: locks, arguments, the number of parameters."""


class Place(NamedTuple):
    """Where the folder of a new run is made."""

    root: Path
    version: str | None  # None takes the next number


class RunFolder(NamedTuple):
    """The folder of the run that a command writes to."""

    path: Path
    is_known: bool
    """In other processes than the first the number of a new run is not, and the path means nothing."""
    made: list[Path]
    """What is made for it, the inner ones first."""


def is_kept(given: Mapping[str, Any], asked: str | None) -> bool:
    """Whether a command leaves anything behind.

    Args:
        given: the trainer's arguments.
        asked: what ``--run_folder`` says.

    Raises:
        ConfigError: if there is nothing to put there.
    """
    for name in ("fast_dev_run", "barebones"):
        if given[name] and asked is not None:
            raise ConfigError(f"run_folder {asked}: with trainer.{name} nothing is kept; leave one of them out")
        if given[name]:
            return False
    switched_off = given["logger"] in (False, []) and given["enable_checkpointing"] is False
    return asked is not None or not switched_off


def run_folder(asked: str | None, run: Run | None, place: Place) -> RunFolder:
    """The folder of this command's run. The first process makes one whose number was open: nobody else gets it.

    Args:
        asked: what ``--run_folder`` says.
        run: that is continued or measured.
        place: of any other.

    Raises:
        ConfigError: if it cannot be the folder of a new run.
    """
    if asked is not None or run is not None:
        path = run.folder.resolve() if run is not None and asked is None else new_folder(str(asked), run)
    elif place.version is not None:
        path = place.root / place.version
    elif not is_first_process():
        return RunFolder(place.root / "version_0", False, [])
    else:
        around = missing(place.root)
        path = place.root / f"version_{make_version(place.root)}"
        return RunFolder(path, True, [path, *around])
    return RunFolder(path, True, missing(path) if is_first_process() else [])


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


def missing(folder: Path) -> list[Path]:
    """A folder and its parents, as far as they do not exist."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


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


class FilesInRunFolder(pl.Callback):
    """What callbacks of Lightning write without being told where goes into the folder of the run.

    Lightning takes the names of the first logger for it, which are those of an experiment and not of a folder. In other
    processes than the first the folder is not known; they are told by Lightning itself.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        folder = run_folder_of(trainer)
        if folder is None:
            return
        callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
        for callback in callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.dirpath is None:
                callback.dirpath = str(folder / "checkpoints")
            if isinstance(callback, SpikeDetection) and callback.exclude_batches_path is None:
                callback.exclude_batches_path = str(folder / "skip_batches.json")


def run_folder_of(trainer: pl.Trainer) -> Path | None:
    """The folder of the run, as far as this process knows it; asks no other."""
    folder: Path | None = getattr(trainer, "run_folder", None)
    return folder
