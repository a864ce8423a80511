"""The message of a stopped ``fit``, ``validate``, ``test`` or ``predict``: what is kept, and how to continue."""

import shlex
import signal
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.trainer.connectors.signal_connector import _SignalConnector

from lightning_seg.prediction_files import what_is_done
from lightning_seg.runs import epochs_done
from lightning_seg.stopping import ANSWERED
from lightning_seg.trainer.processes import dismiss_observer
from lightning_seg.trainer.results import prediction_writers_of
from lightning_seg.trainer.run_folder import run_folder_of

NOTHING = {
    "fit": "nothing is trained yet",
    "validate": "nothing is measured",
    "test": "nothing is measured",
    "predict": "no picture is predicted yet",
}


class SignalConnector(_SignalConnector):
    """Lightning's, without SIGTERM, which ``stopping`` answers: Lightning would only note it and look after the batch.

    SLURM's signals stay with Lightning.
    """

    @staticmethod
    def _register_signal(signum: int, handlers: object) -> None:
        if signum not in ANSWERED:
            _SignalConnector._register_signal(signum, handlers)  # type: ignore[arg-type]


def nothing_kept(subcommand: str | None) -> str:
    """The message before any work is done."""
    return f"{NOTHING.get(subcommand or '', 'nothing is done')}; the same command begins anew"


def what_is_kept(subcommand: str | None, trainer: pl.Trainer) -> str:
    """One line, from the files on the disk; it asks no other process, since that may have ended."""
    if subcommand == "fit":
        return _trained(trainer)
    if subcommand == "predict":
        return _predicted(trainer)
    return nothing_kept(subcommand)


def end_processes(trainer: pl.Trainer) -> None:
    """Ask this machine's other processes of the command to end."""
    dismiss_observer()
    launcher = trainer.strategy.launcher
    if launcher is not None:
        launcher.kill(signal.SIGTERM)


def _trained(trainer: pl.Trainer) -> str:
    folder = run_folder_of(trainer)
    for checkpoint in _checkpoints(folder, trainer):
        try:
            done = epochs_done(checkpoint)
        # One that was cut off fails in many ways.
        except Exception:
            continue
        return _goes_on(folder or checkpoint.parent, checkpoint, done, trainer.max_epochs)
    place = f" in {folder}" if folder and folder.is_dir() else ""
    return f"nothing is saved{place} to go on from; the same command begins anew"


def _checkpoints(folder: Path | None, trainer: pl.Trainer) -> Sequence[Path]:
    """The checkpoints to continue from: the one that ``--run`` takes, then the newest."""
    if folder is None:
        return []
    last = folder / "checkpoints" / "last.ckpt"
    own = (callback for callback in trainer.checkpoint_callbacks if isinstance(callback, pl.callbacks.ModelCheckpoint))
    names = (name for callback in own for name in (callback.last_model_path, callback.best_model_path) if name)
    others = sorted(
        {path for path in map(Path, names) if path.is_file()} - {last}, key=lambda path: path.stat().st_mtime
    )
    return [*([last] if last.is_file() else []), *reversed(others)]


def _goes_on(folder: Path, checkpoint: Path, done: int, asked: int | None) -> str:
    limited = asked is not None and asked >= 0
    trained = f"{done} of {asked} epochs are" if limited else f"{done} epoch{'s are' if done != 1 else ' is'}"
    run = folder if checkpoint.name == "last.ckpt" else checkpoint
    if asked is not None and 0 <= asked <= done:
        return f"{trained} done and saved; lightning-seg test --run {shlex.quote(str(folder))} measures the best one"
    return f"{trained} done and saved; lightning-seg fit --run {shlex.quote(str(run))} goes on"


def _predicted(trainer: pl.Trainer) -> str:
    writer = next(iter(prediction_writers_of(trainer)), None)
    return what_is_done({} if writer is None else writer.tables(trainer.world_size))
