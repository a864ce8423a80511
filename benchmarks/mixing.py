"""Milliseconds of one core that CutMix and Mixup take of a batch, beside decoding and resizing it from JPEG files.

All take turns on one thread, as in a loader's worker. Waiting for other programs is not counted. The JPEG files are
written for the purpose.

    python benchmarks/mixing.py --batch_size 64 --image_size 224 --rounds 20
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from lightning_seg.augmentation.collate import stack_images
from lightning_seg.augmentation.mixing import Mix, Mixing, MixingCollate, mix_classification, mix_segmentation
from lightning_seg.images import read_image, resize_image

NUM_CLASSES = 120
LOADING = "decode, resize, stack"


def write_jpegs(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Smooth colours with some noise, of about the bytes per pixel of a photo."""
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        generator = np.random.default_rng(number)
        coarse = generator.integers(0, 256, (12, 16, 3), np.uint8)
        pixels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC).astype(np.int16)
        pixels += generator.integers(-12, 13, pixels.shape, np.int16)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return paths


def load(paths: list[Path], side: int) -> torch.Tensor:
    """Pictures ``(B, 3, side, side)`` as a dataset and the collate make them, without a pipeline."""
    pixels = [resize_image(read_image(path), (side, side)) for path in paths]
    return stack_images([torch.from_numpy(picture).permute(2, 0, 1) for picture in pixels])


def stacked(batch: dict[str, torch.Tensor], samples: object) -> dict[str, torch.Tensor]:
    """In place of a collate, whose time is in ``load``."""
    return batch


def mixing_runs(images: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Draws and their application, to batches that are stacked already."""
    count, generator = len(images), torch.Generator().manual_seed(0)
    mask = torch.randint(0, 3, (count, *images.shape[2:]), dtype=torch.uint8, generator=generator)
    label = torch.randint(0, NUM_CLASSES, (count,), generator=generator)
    samples = [{"epoch": 0, "index": number} for number in range(count)]
    kinds: dict[str, tuple[dict[str, torch.Tensor], Mix]] = {
        "masks": ({"image": images, "mask": mask}, mix_segmentation),
        "labels": ({"image": images, "label": label}, partial(mix_classification, num_classes=NUM_CLASSES)),
    }
    runs: dict[str, Callable[[], object]] = {}
    for kind in ("cutmix", "mixup"):
        for name, (batch, mix) in kinds.items():
            collate = MixingCollate(partial(stacked, batch), mix, Mixing(kind, prob=1.0), seed=0)
            runs[f"{kind} with {name}"] = partial(collate, samples)
    return runs


def measure(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each, round by round; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started = time.process_time()
            run()
            if number:
                times[name].append(1e3 * (time.process_time() - started))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--image_size", type=int, default=224)
    parser.add_argument("--file_size", type=int, nargs=2, default=(375, 500), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_jpegs(Path(folder), given.batch_size, tuple(given.file_size))
        kilobytes = sum(path.stat().st_size for path in paths) / len(paths) / 1024
        runs: dict[str, Callable[[], object]] = {LOADING: partial(load, paths, given.image_size)}
        runs |= mixing_runs(load(paths, given.image_size))
        times = measure(runs, given.rounds)
    height, width = given.file_size
    print(
        f"batch of {given.batch_size} at {given.image_size}x{given.image_size}, files {width}x{height} of "
        f"{kilobytes:.0f} KiB, all pictures mixed, {given.rounds} rounds"
    )
    base = statistics.median(times[LOADING])
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:22s} {median:7.1f} ms (min {min(measured):.1f}), {100 * median / base:.1f} %")


if __name__ == "__main__":
    main()
