"""Pictures per second that loaders give, beside the usual way: Pillow, Albumentations and PyTorch's DataLoader.

Each way runs in a process of its own, with its loader's workers, and reads the same files. They take turns pass by
pass, so that a busy machine slows them alike, and the ratios are what counts. Beside the time on the clock stands that
of the cores, which other programs disturb less. No network is trained. ``first epoch`` decodes every file, ``cached``
is a later epoch with ``cache``.

    python benchmarks/loading.py --pets DIR --carvana DIR --flowers DIR --dogs DIR
    python benchmarks/loading.py --synthetic --rounds 1
    python benchmarks/loading.py --pets DIR --before ../older_checkout
"""

import argparse
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import albumentations as A
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from lightning_seg import CarvanaDataModule, FlowersDataModule, OxfordPetsDataModule, StanfordDogsDataModule
from lightning_seg.datamodules.base import DataModule


class System(NamedTuple):
    """What one system's loader has to do, in both ways."""

    kind: type[DataModule[Any]]
    side: int
    batch_size: int
    augment: str
    usual: Callable[[], list[A.BasicTransform]]
    first_class: int = 0  # what a mask file stores for class 0


def flip() -> list[A.BasicTransform]:
    return [A.HorizontalFlip(p=0.5)]


def flip_shift_hue() -> list[A.BasicTransform]:
    shift = A.Affine(translate_percent=(-0.1, 0.1), p=1.0)
    return [*flip(), shift, A.HueSaturationValue(18, 0, 0, p=1.0)]


SYSTEMS = {
    "pets": System(OxfordPetsDataModule, 128, 64, "flip", flip, first_class=1),
    "carvana": System(CarvanaDataModule, 256, 3, "flip_shift_hue", flip_shift_hue),
    "flowers": System(FlowersDataModule, 180, 32, "flip", flip),
    "dogs": System(StanfordDogsDataModule, 224, 16, "flip", flip),
}
USUAL, FIRST, CACHED = "usual way", "first epoch", "cached"
BEFORE = {"before, first epoch": FIRST, "before, cached": CACHED}


class UsualDataset(Dataset[dict[str, Any]]):
    """The obvious script: decode, ``Resize``, the draws, ``ToTensorV2``."""

    def __init__(self, paths: Sequence[tuple[Path, Path | None]], system: System) -> None:
        self.paths, self.first_class = paths, system.first_class
        self.transform = A.Compose([A.Resize(system.side, system.side), *system.usual(), ToTensorV2()])

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        picture, mask = self.paths[index]
        image = np.array(Image.open(picture).convert("RGB"))
        if mask is None:
            return {"image": self.transform(image=image)["image"], "label": 0}
        drawn = self.transform(image=image, mask=np.array(Image.open(mask)) - self.first_class)
        return {"image": drawn["image"], "mask": drawn["mask"]}


def usual_loader(data: DataModule[Any], system: System, num_workers: int) -> DataLoader[Any]:
    dataset = data.datasets["train"]
    mask_path = getattr(dataset, "trimap_path", getattr(dataset, "mask_path", lambda record: None))
    paths = [(dataset.image_path(record), mask_path(record)) for record in dataset.records]
    return DataLoader(
        UsualDataset(paths, system),
        batch_size=system.batch_size,
        shuffle=True,
        num_workers=num_workers,
        drop_last=len(paths) >= system.batch_size,
        persistent_workers=num_workers > 0,
    )


def make_loader(system: System, way: str, root: Path, num_workers: int) -> DataLoader[Any]:
    data = system.kind(
        root,
        image_size=system.side,
        batch_size=system.batch_size,
        num_workers=num_workers,
        augment=system.augment,
        cache="ram" if way == CACHED else False,
    )
    data.setup("fit")
    return usual_loader(data, system, num_workers) if way == USUAL else data.train_dataloader()


def core_seconds() -> float:
    """What this process and its workers have taken of the cores; without the workers where there is no /proc."""
    seconds = time.process_time()
    for worker in multiprocessing.active_children():
        stat = Path(f"/proc/{worker.pid}/stat")
        if stat.is_file():
            # Behind the name in brackets: user and system time are the 12th and 13th.
            fields = stat.read_text().rpartition(")")[2].split()
            seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def serve(loader: DataLoader[Any]) -> None:
    """One pass for every line on stdin; its pictures per second go to stdout, and per second of a core."""
    for _ in sys.stdin:
        pictures, started, taken = 0, time.perf_counter(), core_seconds()
        for batch in loader:
            pictures += len(batch["image"])
        print(pictures / (time.perf_counter() - started), pictures / (core_seconds() - taken), flush=True)


class Speed(NamedTuple):
    """Pictures per second of one pass."""

    clock: float
    cores: float  # per second that a core has worked for it


class Server:
    """A way in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def speed(self) -> Speed:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        clock, cores = self.process.stdout.readline().split()
        return Speed(float(clock), float(cores))


@contextmanager
def server(name: str, way: str, root: Path, num_workers: int, code: Path) -> Iterator[Server]:
    command = [sys.executable, __file__, "--serve", name, way, str(root), "--num_workers", str(num_workers)]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Server(process)
    finally:
        process.communicate()


def measure(name: str, root: Path, num_workers: int, rounds: int, before: Path | None) -> dict[str, list[Speed]]:
    """Pictures per second of each way, round by round; the first pass starts workers, fills caches and is left out."""
    here = Path(__file__).resolve().parent.parent
    ways = {way: (way, here) for way in (USUAL, FIRST, CACHED)}
    if before is not None:
        ways |= {label: (way, before.resolve()) for label, way in BEFORE.items()}
    with ExitStack() as stack:
        servers = {
            label: stack.enter_context(server(name, way, root, num_workers, code))
            for label, (way, code) in ways.items()
        }
        speeds: dict[str, list[Speed]] = {label: [] for label in servers}
        for number in range(rounds + 1):
            for label, one in servers.items():
                speed = one.speed()
                if number:
                    speeds[label].append(speed)
    return speeds


def report(name: str, speeds: dict[str, list[Speed]]) -> None:
    """A row of the table for each way."""
    usual = speeds[USUAL]
    for label, measured in speeds.items():
        clock = [speed.clock / base.clock for speed, base in zip(measured, usual, strict=True)]
        cores = [speed.cores / base.cores for speed, base in zip(measured, usual, strict=True)]
        print(
            f"| {name}@{SYSTEMS[name].side} | {label} | {statistics.median(speed.clock for speed in measured):,.0f} | "
            f"{statistics.median(clock):.2f} ({min(clock):.2f} to {max(clock):.2f}) | {statistics.median(cores):.2f} "
            f"({min(cores):.2f} to {max(cores):.2f}) |",
            flush=True,
        )


def write_synthetic(folder: Path) -> dict[str, Path]:
    roots = {}
    for name, system in SYSTEMS.items():
        roots[name] = folder / name
        system.kind(roots[name], source="synthetic", num_workers=0).prepare_data()
    return roots


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, system in SYSTEMS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help=f"data.root of {system.kind.__name__}")
    parser.add_argument("--synthetic", action="store_true", help="write small stand-ins for all of them and read these")
    parser.add_argument("--num_workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--before", type=Path, metavar="DIR", help="another checkout of this package, to compare with")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        name, way, root = given.serve
        serve(make_loader(SYSTEMS[name], way, Path(root), given.num_workers))
        return
    roots = {name: getattr(given, name) for name in SYSTEMS if getattr(given, name) is not None}
    with tempfile.TemporaryDirectory() as folder:
        if given.synthetic:
            roots = write_synthetic(Path(folder))
        if not roots:
            parser.error("give a folder of one of the datasets, or --synthetic")
        print(f"{given.num_workers} workers, {given.rounds} rounds, torch {torch.__version__}\n")
        print("Medians (from least to most); ratios to the usual way of the same round.\n")
        print("| data | way | pictures/s | ratio | ratio by time of the cores |\n|---|---|---|---|---|")
        for name, root in roots.items():
            report(name, measure(name, root.resolve(), given.num_workers, given.rounds, given.before))


if __name__ == "__main__":
    main()
