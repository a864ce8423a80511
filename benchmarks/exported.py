"""Time and memory of predicting a folder of photos: the run with torch against its exported file with onnxruntime.

All five systems are trained for one step on synthetic data (how long prediction takes does not depend on what the
network has learned) and exported. Then ``predict --run`` and ``predict --model`` take turns in processes of their own;
seconds are those of the whole command on the clock, memory is the peak of the process. Start-up is the same command on
one photo.

    python benchmarks/exported.py --photos DIR --number 200 --rounds 3
    python benchmarks/exported.py --photos DIR --number 8 --rounds 1 --systems flowers
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ONE_STEP = ("--trainer.max_epochs", "1", "--trainer.limit_train_batches", "1", "--trainer.limit_val_batches", "1")
SYSTEMS: dict[str, tuple[str, ...]] = {
    "pets": ("--model.encoder_weights", "null", "--model.freeze_encoder", "false"),
    "carvana": (),
    "flowers": (),
    "dogs": ("--model.weights", "null"),
    "detector": ("--data", "StanfordDogsDataModule", "--data.image_size", "224", "--model.weights", "numpy:0"),
}
"""Flags beside the config: no weights are fetched."""


class Measured(NamedTuple):
    """One command."""

    seconds: float
    mebibytes: float


def measure(words: Sequence[str]) -> Measured:
    """The command line with these words, in a process of its own."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_seg", "--quiet", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(words)}: {errors.decode(errors='replace')[-800:]}")
    return Measured(time.perf_counter() - start, usage.ru_maxrss / 1024)


def make_system(name: str, photos: Sequence[Path], folder: Path) -> tuple[Path, Path]:
    """A run of one step, and its file."""
    run, file = folder / name / "run", folder / name / "model.onnx"
    data = ["--data.source", "synthetic", "--data.root", str(folder / name / "data"), "--data.num_workers", "0"]
    data += ["--data.batch_size", "4"]
    own = ["--run_folder", str(run), "--trainer.accelerator", "cpu"]
    measure(["fit", "--config", name, *SYSTEMS[name], *data, *ONE_STEP, *own])
    measure(["export", "--run", str(run), "--output", str(file), "--images", *map(str, photos[:2])])
    return run, file


def compare(name: str, run: Path, file: Path, photos: Sequence[Path], rounds: int, folder: Path) -> str:
    """A row of the table."""
    ways = {"torch": ["--run", str(run), "--trainer.accelerator", "cpu"], "onnx": ["--model", str(file)]}
    found: dict[str, list[Measured]] = {way: [] for way in ways}
    started: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        for way, words in ways.items():
            output = ["--output", str(folder / f"{name}_{way}_{number}")]
            found[way].append(measure(["predict", *words, "--images", *map(str, photos), *output]))
            started[way].append(measure(["predict", *words, "--images", str(photos[0]), *output]).seconds)
    seconds = {way: statistics.median(one.seconds for one in found[way]) for way in ways}
    memory = {way: max(one.mebibytes for one in found[way]) for way in ways}
    start = {way: statistics.median(started[way]) for way in ways}
    ratio = statistics.median(a.seconds / b.seconds for a, b in zip(found["torch"], found["onnx"], strict=True))
    return (
        f"| {name} | {seconds['torch']:.1f} | {seconds['onnx']:.1f} | {ratio:.2f} | {memory['torch']:,.0f} | "
        f"{memory['onnx']:,.0f} | {start['torch']:.2f} | {start['onnx']:.2f} | {file.stat().st_size / 1e6:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG files")
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    given = parser.parse_args()
    photos = sorted(given.photos.rglob("*.jpg"))[: given.number]
    if not photos:
        sys.exit(f"{given.photos}: no JPEG file there; give another folder with --photos")
    print(f"{len(photos)} photos, {given.rounds} rounds, {os.cpu_count()} cores\n")
    print("| system | torch s | onnx s | times as fast | torch MiB | onnx MiB | one photo torch s | onnx s | file MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LIGHTNING_SEG_CACHE_DIR"] = str(folder / "caches")
        for system in given.systems:
            run, file = make_system(system, photos, folder)
            print(compare(system, run, file, photos, given.rounds, folder), flush=True)


if __name__ == "__main__":
    main()
