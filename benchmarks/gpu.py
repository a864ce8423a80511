"""What a card does, what feeds it, and which of the two limits a training: one table, in under six minutes.

For each row, in pictures per second: the card with one batch in its memory, the same compiled, the loader alone (the
first epoch, which decodes, and later ones), the Trainer with everything on, and the obvious plain PyTorch script.
Beside them the share of time that the card is busy, the seconds from the command to the first step, the peak memory,
and what limits the row.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --data DIR --photos data/oxford_pets --compile --budget 900
    python benchmarks/gpu.py --device cpu --quick

DIR may hold real pictures in oxford_pets, carvana, flowers and stanford_dogs; what is not there is synthetic. Nothing
is downloaded, and all weights are random. What fails is said in its row, and what there is no time for is left out.
"""

import argparse
import logging
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

# A script finds the folders beside it, and not the package of which it is a part.
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.card.aims import advice, aims_of
from benchmarks.card.commands import num_photos, whole_run
from benchmarks.card.measuring import attempt, measure_row
from benchmarks.card.rates import compiled
from benchmarks.card.report import NOTES, heading, say, show, table
from benchmarks.card.rows import Row, rows_for
from benchmarks.card.settings import SYSTEMS, Setting
from lightning_seg.memory import keep_freed_memory


def find_pictures(given: Path | None, folder: Path, quick: bool) -> tuple[dict[str, Path], dict[str, str]]:
    roots, sources = {}, {}
    for name, system in SYSTEMS.items():
        real = None if given is None else given / system.folder
        if real is not None and real.is_dir():
            roots[name], sources[name] = real, "real"
            continue
        roots[name], sources[name] = folder / system.folder, "synthetic"
    missing = [name for name, source in sources.items() if source == "synthetic"]
    with ProcessPoolExecutor(mp_context=get_context("fork")) as processes:
        for name in processes.map(write_synthetic, missing, [roots[name] for name in missing], [quick] * len(missing)):
            say(f"  synthetic pictures: {SYSTEMS[name].folder}")
    return roots, sources


def write_synthetic(name: str, root: Path, quick: bool) -> str:
    SYSTEMS[name].write(root, 40 if quick else 320)
    return name


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="small pictures, batches and networks: does it run?")
    parser.add_argument("--compile", action="store_true", help="every row, not two alone")
    parser.add_argument("--seconds", type=float, default=None, help="of each measurement")
    parser.add_argument("--budget", type=float, default=330.0, help="seconds after which nothing new is begun")
    parser.add_argument("--rows", default="", help="only those whose name holds this")
    parser.add_argument("--data", type=Path, default=None, help="folder with real pictures")
    parser.add_argument("--photos", type=Path, default=None, help="Oxford-IIIT Pet for the whole run, 550 photos")
    parser.add_argument("--output", type=Path, default=None, help="file for the table, in Markdown")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("gpu.py: error: there is no CUDA device; give --device cpu --quick to see whether it runs")
    return given


def prepare(device: str) -> None:
    """On a CPU the process keeps freed memory from the start, as tasks make it do: so all cells are measured alike."""
    if device == "cpu":
        keep_freed_memory()


def measure(rows: list[Row], setting: Setting, photos: Path | None) -> float | str:
    """Fills the rows, and returns the seconds of the whole run."""
    # One for each system.
    firsts = {row.system: row.name for row in reversed(rows)}
    for row in rows:
        measure_row(row, setting, firsts[row.system] == row.name)
    total = whole_run(setting, photos)
    say(f"  pets.yaml from the command to the tested model: {show(total)} s")
    for row in rows:
        if row.compiles:
            attempt(row, "compiled", partial(compiled, row, setting), setting)
    return total


def report_of(rows: list[Row], total: float | str, setting: Setting, head: str, seconds: float) -> str:
    checked = "\n".join(
        f"* {'unknown' if aim.holds is None else 'yes' if aim.holds else 'NO'}: {aim.text}"
        for aim in aims_of(rows, total, num_photos(setting))
    )
    failures = "\n".join(f"* failed: {failure}" for row in rows for failure in row.failures)
    parts = [
        "# What a card does, and what feeds it",
        f"`{' '.join(['python', *sys.argv])}`, {seconds:.0f} s.",
        head,
        checked,
        failures or "Nothing failed.",
        advice(rows),
        NOTES,
        table(rows),
    ]
    return "\n\n".join(parts)


def main() -> None:
    given = parse()
    logging.disable(logging.WARNING)
    warnings.filterwarnings("ignore")
    prepare(given.device)
    start = time.monotonic()
    rows = [row for row in rows_for(given.quick, given.compile) if given.rows in row.name]
    with tempfile.TemporaryDirectory() as folder:
        roots, sources = find_pictures(given.data, Path(folder), given.quick)
        seconds = given.seconds or (0.3 if given.quick else 2.0)
        setting = Setting(torch.device(given.device), given.quick, seconds, roots, start + given.budget, {})
        total = measure(rows, setting, given.photos)
    report = report_of(rows, total, setting, heading(setting, sources), time.monotonic() - start)
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(report + "\n")
    say(report)


if __name__ == "__main__":
    main()
