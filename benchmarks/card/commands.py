"""Seconds of commands as a user types them: until the first step, and of a whole run with its test."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.card.first_step import FIRST_STEP
from benchmarks.card.rows import Row
from benchmarks.card.settings import SYSTEMS, Setting, System, write_pets

REPOSITORY = Path(__file__).parents[2]
PHOTOS, WHOLE_RUN = 550, 40.0
"""Of the whole run: how many pictures it has, and how many seconds it may take."""


def command(system: System, root: Path, setting: Setting, *words: str) -> list[str]:
    """``fit`` as a user types it."""
    configs = REPOSITORY / "configs"
    device = ["--config", str(configs / "overrides" / "gpu.yaml")] if setting.is_card else []
    download = ["--data.download", "false"] if system.folder != "carvana" else []
    start = [sys.executable, "-m", "lightning_seg", "fit", "--config", str(configs / system.config), *device]
    return [*start, "--data.root", str(root), *download, *system.flags, *words]


def environment(**own: str) -> dict[str, str]:
    places = [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places)), **own}


def run(words: list[str], folder: str, limit: float, **own: str) -> str:
    done = subprocess.run(
        words, cwd=folder, env=environment(**own), capture_output=True, text=True, timeout=limit, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit code {done.returncode}")
    return done.stdout


def first_step_words(row: Row, setting: Setting, root: Path) -> list[str]:
    """``fit`` of a row that ends after its first step."""
    words = ["--data.image_size", str(row.side), "--data.batch_size", str(row.batch_size)]
    words += ["--trainer.callbacks+=benchmarks.card.first_step.FirstStep", "--trainer.enable_progress_bar", "false"]
    return command(SYSTEMS[row.system], root, setting, *words)


def first_step(row: Row, setting: Setting) -> float:
    """Seconds from the command to the end of its first step."""
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder) / "mark"
        start = time.time()
        typed = first_step_words(row, setting, setting.roots[row.system])
        run(typed, folder, max(30.0, setting.left()), **{FIRST_STEP: str(mark)})
        return float(mark.read_text()) - start


def num_photos(setting: Setting) -> int:
    return 40 if setting.quick else PHOTOS


def whole_run(setting: Setting, photos: Path | None) -> float | str:
    """``fit`` and ``test`` of pets.yaml on that many pictures: ten epochs."""
    if setting.left() <= 0:
        return "no time"
    count = num_photos(setting)
    with tempfile.TemporaryDirectory() as folder:
        root = photos or Path(folder) / "photos"
        if photos is None:
            write_pets(root, count)
        quick = ["--data.image_size", "64", "--trainer.max_epochs", "1"] if setting.quick else []
        start = time.monotonic()
        try:
            limit = max(WHOLE_RUN, setting.left())
            run(
                [*command(SYSTEMS["pets"], root, setting, *quick), "--trainer.enable_progress_bar=false"], folder, limit
            )
            run([sys.executable, "-m", "lightning_seg", "test", "--run", "runs/pets"], folder, limit)
        # Of any kind, as in a row.
        except Exception as error:
            return f"failed: {type(error).__name__}: {' '.join(str(error).split())[:80]}"
        return time.monotonic() - start
