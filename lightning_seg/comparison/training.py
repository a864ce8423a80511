"""Training and testing the runs of a comparison, each in its own process, from where it was interrupted."""

import hashlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from lightning_seg.callbacks.epoch_record import complete
from lightning_seg.callbacks.run_record import RunRecord
from lightning_seg.comparison.folder import has_epoch
from lightning_seg.comparison.plan import PlannedRun
from lightning_seg.comparison.processes import call, describe_signal
from lightning_seg.comparison.results import RunError, read_record
from lightning_seg.files import replace_text
from lightning_seg.picture_table import TABLE
from lightning_seg.run_files import STOPPED_EARLY
from lightning_seg.runs import batches_begun, callback_state, epochs_done, lost_patience, steps_done

LIGHTNINGS_CHOICE = 1000
"""Epochs of a trainer without a limit."""
TESTED = ".tested"
"""File with a digest of the results of the comparison's own test."""

ERROR = "lightning-seg: error: "
Step = Literal["fit", "continue", "test"]


class Asked(NamedTuple):
    """The wanted length of a training; None without a limit."""

    epochs: int | None
    steps: int | None

    @classmethod
    def of(cls, trainer: Mapping[str, Any]) -> Self:
        """From the arguments of Lightning's trainer, which uses -1 for no limit."""
        epochs, steps = trainer.get("max_epochs"), trainer.get("max_steps", -1)
        if epochs is None and steps == -1 and trainer.get("max_time") is None:
            epochs = LIGHTNINGS_CHOICE
        return cls(*(None if limit is None or limit < 0 else limit for limit in (epochs, steps)))

    def __str__(self) -> str:
        limits = [f"{limit} {name}" for name, limit in self._asdict().items() if limit is not None]
        return " or ".join(limits) or "an early stop"


def finish(run: PlannedRun, asked: Asked) -> None:
    """Do everything that is missing of a run.

    Raises:
        RunError: with the last line that the process printed, or if it has not done its work.
    """
    step = next_step(run.folder, asked)
    if step == "fit":
        # What was interrupted before its first epoch had ended is of no use.
        shutil.rmtree(run.folder, ignore_errors=True)
        _run(run, ["fit", *run.flags])
    elif step == "continue":
        _run(run, ["fit", *_run_flags(run)])
    # An exit code is what a program says of itself; what is compared is what it has left behind.
    if not is_fitted(run.folder, asked):
        raise _failure(run, f"fit ended before {asked}, and no early stop is recorded; the same command goes on")
    if step is not None:
        # What an earlier test has left must not be taken for this one's.
        (run.folder / TABLE).unlink(missing_ok=True)
        _complete_record(run.folder)
        _run(run, ["test", *_run_flags(run)])
        digest = _results_digest(run.folder)
        if digest is None:
            raise _failure(run, "test ended without results; the same command tests again")
        replace_text(run.folder / TESTED, digest)


def _run_flags(run: PlannedRun) -> list[str]:
    """Flags of an existing run. Its config is a stranger's, unless the comparison has classes of the user's own."""
    return ["--run", str(run.folder), *run.again, *(["--trust_config"] if run.has_own_classes else [])]


def _complete_record(folder: Path) -> None:
    """A fit that was killed after its last checkpoint has not written all its numbers."""
    record = callback_state(folder / "checkpoints" / "last.ckpt", RunRecord.__qualname__)
    if record:
        complete(folder, record)


def next_step(folder: Path, asked: Asked) -> Step | None:
    """The next step of a run; None if it is finished.

    A test that was made by hand, perhaps with other flags, is made again.
    """
    if not has_epoch(folder):
        return "fit"
    if not is_fitted(folder, asked):
        return "continue"
    mark = folder / TESTED
    return None if mark.is_file() and mark.read_text() == _results_digest(folder) else "test"


def is_fitted(folder: Path, asked: Asked) -> bool:
    """Whether the last checkpoint has the wanted epochs or steps, or an early stop ended the training."""
    if not has_epoch(folder):
        return False
    last = folder / "checkpoints" / "last.ckpt"
    done = epochs_done(last)
    if asked.epochs is not None and asked.epochs <= done:
        return True
    if asked.steps is not None and asked.steps <= steps_done(last):
        return True
    # An epoch that the stop has cut off is counted there, too.
    return read_record(folder).get(STOPPED_EARLY) == done + bool(batches_begun(last)) or lost_patience(last)


def _results_digest(folder: Path) -> str | None:
    """A digest of everything that is compared; None if there is nothing."""
    record = read_record(folder)
    compared = [f"{name} {value}" for name, value in record.items() if name.startswith(("best/", "test/"))]
    table = folder / TABLE
    if not table.is_file() or not any(name.startswith("test/") for name in record):
        return None
    return hashlib.sha256("\n".join(sorted(compared)).encode(errors="surrogateescape") + table.read_bytes()).hexdigest()


def _run(run: PlannedRun, words: Sequence[str]) -> None:
    run.log.parent.mkdir(parents=True, exist_ok=True)
    with run.log.open("a") as file:
        before = file.tell()
        code = call([sys.executable, "-m", "lightning_seg", *words], file)
    if code:
        text = run.log.read_bytes()[before:].decode(errors="replace")
        said = text.strip().splitlines() or [f"exit code {code}"]
        raise _failure(run, f"{words[0]} failed: {describe_signal(code) or said[-1].removeprefix(ERROR)}")


def _failure(run: PlannedRun, reason: str) -> RunError:
    return RunError(f"variant {run.variant}, seed {run.seed}: {reason} (all it said: {run.log})")
