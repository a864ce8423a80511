"""The runs of a comparison: each fit and each test in its own process, from where it was interrupted."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lightning_seg.callbacks.picture_scores import TABLE
from lightning_seg.callbacks.run_record import RECORD_FILE
from lightning_seg.comparison.plan import PlannedRun
from lightning_seg.errors import UserError
from lightning_seg.runs import epochs_done

FITTED = ".fitted"
"""Marks a run whose fit came to its end."""
GRACE = 60
"""Seconds that a process has for ending by itself."""

Step = Literal["fit", "continue", "test"]


class RunError(UserError):
    """A run of a comparison has failed."""


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
        _run(run, ["fit", "--run", str(run.folder)])
    if step in ("fit", "continue"):
        (run.folder / FITTED).touch()
    if step is not None:
        _run(run, ["test", "--run", str(run.folder)])


def next_step(folder: Path, max_epochs: int | None) -> Step | None:
    """What a run needs next; None where it is finished."""
    last = folder / "checkpoints" / "last.ckpt"
    if not (folder / "config.yaml").is_file() or not last.is_file():
        return "fit"
    fitted = (folder / FITTED).is_file() or (max_epochs is not None and 0 <= max_epochs <= epochs_done(last))
    if not fitted:
        return "continue"
    return None if _is_tested(folder) else "test"


def _is_tested(folder: Path) -> bool:
    record = folder / RECORD_FILE
    names = json.loads(record.read_text()) if record.is_file() else {}
    return (folder / TABLE).is_file() and any(name.startswith("test/") for name in names)


def _run(run: PlannedRun, words: Sequence[str]) -> None:
    run.log.parent.mkdir(parents=True, exist_ok=True)
    with run.log.open("a") as file:
        code = _call([sys.executable, "-m", "lightning_seg", *words], file)
    if code:
        said = run.log.read_text().strip().splitlines() or [f"exit code {code}"]
        reason = said[-1].removeprefix("lightning-seg: error: ")
        raise RunError(f"variant {run.variant}, seed {run.seed}: {words[0]} failed: {reason} (all it said: {run.log})")


def _call(command: Sequence[str], output: object) -> int:
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # type: ignore[call-overload]
    with _ends_like_interrupted():
        try:
            code: int = process.wait()
            return code
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Left alone, it would go on in a folder that the next call takes for interrupted."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _ends_like_interrupted() -> Iterator[None]:
    """A request to end becomes a KeyboardInterrupt, so that the process that was started ends too."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
