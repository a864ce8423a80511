"""Run folders ``runs/<name>/version_N`` with config, checkpoints, logs and results."""

import logging
import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.checkpoints import CHECKPOINT_KEY, HYPER_PARAMETERS, check_content, read_checkpoint
from lightning_seg.errors import ConfigError
from lightning_seg.hub.address import Address, is_address
from lightning_seg.hub.fetching import fetch_run
from lightning_seg.locks import is_held
from lightning_seg.run_files import CONFIG_FILE
from lightning_seg.tasks.resuming import reopen_epoch

log = logging.getLogger(__name__)
FIT_LOCK = ".fit.lock"
"""File in the folder of a run that its training holds."""
OTHER = {"best": "last", "last": "best"}
"""The two checkpoints that a run keeps."""


class Run(NamedTuple):
    """A folder that ``fit`` wrote, and one of its checkpoints if it was named."""

    folder: Path
    chosen: Path | None = None
    address: str | None = None  # on the hub, if it was fetched

    @property
    def config(self) -> Path:
        return self.folder / CONFIG_FILE

    @property
    def is_best(self) -> bool:
        """Whether the best checkpoint is meant, which the numbers of the run belong to."""
        best = self.folder / "checkpoints" / "best.ckpt"
        return self.chosen is None or self.chosen.resolve() == best.resolve()

    def checkpoint(self, name: str) -> Path:
        """The named checkpoint; otherwise ``best`` or ``last``, and for an unreadable last one the newest other.

        Raises:
            ConfigError: if the run has not saved it, or it cannot be read.
        """
        if self.chosen is not None:
            return self.chosen
        path, other = (self.folder / "checkpoints" / f"{one}.ckpt" for one in (name, OTHER[name]))
        if is_readable(path):
            return path
        if name == "last":
            other = _newest_other(path) or other
        missing = "cannot be read" if path.is_file() else "is missing"
        if not is_readable(other):
            if path.is_file() or other.is_file():
                raise ConfigError(f"{path.parent}: neither {path.name} nor {other.name} can be read; train anew")
            raise ConfigError(
                f"{self.folder}: no checkpoints/{name}.ckpt there; give a run that has finished an epoch and validated"
            )
        if name == "best":
            raise ConfigError(f"{path}: {missing}; for the weights of the last epoch give --ckpt_path {other}")
        epoch = epochs_done(other) + bool(batches_begun(other))
        log.warning("%s %s, so %s is taken, of epoch %d", path, missing, other.name, epoch)
        return other


def find_run(path: str | Path) -> Run:
    """The run in ``path``, the newest ``version_N`` below it, or the run that a checkpoint file belongs to.

    ``hf://OWNER/NAME``, with ``@REVISION`` behind it or not, is fetched from the Hugging Face hub.

    Raises:
        ConfigError: if there is none.
        DownloadError: if it cannot be fetched.
    """
    if is_address(path):
        address = Address.of(path)
        return Run(fetch_run(address), None, str(address))
    folder = Path(path).expanduser()
    if folder.is_file() and folder.suffix in (".yaml", ".yml"):
        raise ConfigError(f"{folder}: a config is no run; give its folder {folder.parent}, or --config {folder}")
    if folder.is_file():
        return _run_of(folder)
    if (folder / CONFIG_FILE).is_file():
        return Run(folder)
    versions = [version for version in folder.glob("version_*") if (version / CONFIG_FILE).is_file()]
    if versions:
        # One that ended before its first epoch did has nothing to go on from.
        newest, *_ = ordered = sorted(versions, key=_number, reverse=True)
        chosen = next((version for version in ordered if _is_usable(version)), newest)
        if chosen != newest:
            log.warning("%s has no checkpoint that can be read, so %s is taken", newest, chosen)
        return Run(chosen)
    raise ConfigError(f"{folder}: no run there (no config.yaml, no version_N); give a folder that fit has written")


def is_training(folder: Path) -> bool:
    """Whether a command trains in the folder of a run now."""
    return is_held(folder / FIT_LOCK)


def _newest_other(checkpoint: Path) -> Path | None:
    """The readable checkpoint that was trained longest."""
    others = (other for other in checkpoint.parent.glob("*.ckpt") if other != checkpoint and is_readable(other))
    return max(others, key=steps_done, default=None)


def _is_usable(version: Path) -> bool:
    return any(is_readable(checkpoint) for checkpoint in (version / "checkpoints").glob("*.ckpt"))


def _run_of(checkpoint: Path) -> Run:
    folder = next((parent for parent in checkpoint.parents[:2] if (parent / CONFIG_FILE).is_file()), None)
    if folder is None:
        raise ConfigError(
            f"{checkpoint}: no config.yaml in its folder or the one above; give --config CONFIG --ckpt_path CHECKPOINT"
        )
    return Run(folder, checkpoint)


def find_checkpoint(path: str | Path) -> Path:
    """A checkpoint file itself, otherwise the best checkpoint of the run that ``find_run`` finds."""
    file = Path(path).expanduser()
    return file if file.is_file() else find_run(path).checkpoint("best")


def is_readable(checkpoint: Path) -> bool:
    """Whether torch can read the file; a file that was cut off cannot be read."""
    try:
        read_checkpoint(checkpoint)
    # torch.load answers a broken file with errors of many kinds.
    except Exception:
        return False
    return True


def _loops(content: dict[str, Any]) -> dict[str, Any]:
    """The progress of the training in a checkpoint, for ``fit --run``; empty if it has none."""
    # Others get the same content.
    own = {**content, "loops": deepcopy(content.get("loops", {}))}
    loops: dict[str, Any] = own["loops"].get("fit_loop", {})
    if "epoch_progress" in loops:
        reopen_epoch(own)
    return loops


def epochs_done(checkpoint: Path) -> int:
    """Number of whole epochs that a checkpoint was trained for."""
    content = read_checkpoint(checkpoint)
    loops = _loops(content)
    if "epoch_progress" not in loops:
        return int(content["epoch"]) + 1
    epochs, batches = loops["epoch_progress"]["current"], loops["epoch_loop.batch_progress"]
    # The last batch of an epoch comes before its end.
    ends = epochs["processed"] < epochs["started"] and batches["is_last_batch"]
    return int(epochs["processed"]) + int(ends)


def epochs_ended(checkpoint: Path) -> int:
    """Number of epochs that had ended, with validation, when a checkpoint was saved."""
    content = read_checkpoint(checkpoint)
    loops = _loops(content)
    return int(loops["epoch_progress"]["current"]["processed"] if "epoch_progress" in loops else content["epoch"] + 1)


def batches_begun(checkpoint: Path) -> int:
    """Number of batches of the next epoch that a checkpoint was trained for."""
    loops = _loops(read_checkpoint(checkpoint))
    if "epoch_progress" not in loops:
        return 0
    epochs, batches = loops["epoch_progress"]["current"], loops["epoch_loop.batch_progress"]
    begun = epochs["processed"] < epochs["started"] and not batches["is_last_batch"]
    return int(batches["current"]["processed"]) if begun else 0


def training_done(checkpoint: Path) -> str:
    """``3 epochs and 12 batches``."""
    batches = batches_begun(checkpoint)
    return f"{epochs_done(checkpoint)} epochs" + (f" and {batches} batches" if batches else "")


def callback_state(checkpoint: Path, name: str) -> dict[str, Any]:
    """The state of a callback of the training; empty if there is none."""
    state: dict[str, Any] = (read_checkpoint(checkpoint).get("callbacks") or {}).get(name, {})
    return state


def steps_done(checkpoint: Path) -> int:
    """Number of optimiser steps that a checkpoint was trained for."""
    done: int = read_checkpoint(checkpoint)["global_step"]
    return done


def lost_patience(checkpoint: Path) -> bool:
    """Whether early stopping had run out of patience when the checkpoint was written."""
    states: dict[str, Any] = read_checkpoint(checkpoint).get("callbacks", {})
    # Of Lightning's class, or of one that derives from it.
    counts = {"patience", "wait_count"}
    stopping = [state for state in states.values() if isinstance(state, Mapping) and counts <= {*state}]
    return any(0 < state["patience"] <= state["wait_count"] for state in stopping)


def task_arguments(checkpoint: Path) -> dict[str, Any]:
    """Arguments of a checkpoint's task, with class names; empty for a checkpoint of another library.

    Raises:
        ConfigError: if these are more than plain values.
    """
    content = read_checkpoint(checkpoint)
    check_content(content, checkpoint)
    return deepcopy(dict(content.get(HYPER_PARAMETERS) or {}))


def values_found(checkpoint: Path) -> dict[str, int | float]:
    """The batch size and the rate that a checkpoint was trained with; older checkpoints do not have the batch size."""
    size = (read_checkpoint(checkpoint).get(CHECKPOINT_KEY) or {}).get("batch_size")
    found = {"batch_size": size, "lr": task_arguments(checkpoint).get("lr")}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def make_version(runs: Path) -> int:
    """The next number below ``runs``; its folder is made at once, so that nobody else gets it."""
    number = 1 + max((_number(version) for version in runs.glob("version_*")), default=-1)
    while True:
        try:
            (runs / f"version_{number}").mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return number


def _number(version: Path) -> int:
    match = re.fullmatch(r"version_(\d+)", version.name)
    return int(match[1]) if match else -1
