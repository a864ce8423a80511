"""The runs of a comparison: each fit and each test in its own process, from where it was interrupted."""

import hashlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lightning_seg.callbacks.picture_scores import TABLE
from lightning_seg.comparison.folder import has_epoch
from lightning_seg.comparison.plan import PlannedRun
from lightning_seg.comparison.processes import call, describe_signal
from lightning_seg.comparison.results import RunError, read_record
from lightning_seg.runs import epochs_done

FITTED = ".fitted"
"""Marks a run whose fit came to its end."""
TESTED = ".tested"
"""Holds what tells the results of the comparison's own test from those of another."""

Step = Literal["fit", "continue", "test"]


def finish(run: PlannedRun, max_epochs: int | None) -> None:
    """Do what is still missing of a run.

    Raises:
        RunError: with the last line of what the process said.
    """
    step = next_step(run.folder, max_epochs)
    if step == "fit":
        # What was interrupted before its first epoch had ended is of no use.
        shutil.rmtree(run.folder, ignore_errors=True)
        _run(run, ["fit", *run.flags])
    elif step == "continue":
        _run(run, ["fit", *_run_flags(run)])
    if step in ("fit", "continue"):
        (run.folder / FITTED).touch()
    if step is not None:
        _run(run, ["test", *_run_flags(run)])
        (run.folder / TESTED).write_text(_results_digest(run.folder) or "")


def _run_flags(run: PlannedRun) -> list[str]:
    """Of a run that is there. Unless the comparison has classes of the user's own, its config is one of a stranger."""
    return ["--run", str(run.folder), *run.again, *(["--trust_config"] if run.has_own_classes else [])]


def next_step(folder: Path, max_epochs: int | None) -> Step | None:
    """What a run needs next; None where it is finished.

    A test that somebody has made by hand, perhaps with other flags, is made again.
    """
    if not has_epoch(folder):
        return "fit"
    done = epochs_done(folder / "checkpoints" / "last.ckpt")
    fitted = (folder / FITTED).is_file() or (max_epochs is not None and 0 <= max_epochs <= done)
    if not fitted:
        return "continue"
    mark = folder / TESTED
    return None if mark.is_file() and mark.read_text() == _results_digest(folder) else "test"


def _results_digest(folder: Path) -> str | None:
    """Of everything that is compared; None if there is nothing."""
    record = read_record(folder)
    compared = [f"{name} {value}" for name, value in record.items() if name.startswith(("best/", "test/"))]
    table = folder / TABLE
    if not table.is_file() or not any(name.startswith("test/") for name in record):
        return None
    return hashlib.sha256("\n".join(sorted(compared)).encode() + table.read_bytes()).hexdigest()


def _run(run: PlannedRun, words: Sequence[str]) -> None:
    run.log.parent.mkdir(parents=True, exist_ok=True)
    with run.log.open("a") as file:
        before = file.tell()
        code = call([sys.executable, "-m", "lightning_seg", *words], file)
    if code:
        text = run.log.read_bytes()[before:].decode(errors="replace")
        said = text.strip().splitlines() or [f"exit code {code}"]
        reason = describe_signal(code) or said[-1].removeprefix("lightning-seg: error: ")
        raise RunError(f"variant {run.variant}, seed {run.seed}: {words[0]} failed: {reason} (all it said: {run.log})")
