"""Peak memory of ``lightning-seg predict`` over the size of the picture, in tiles or as a detector sees it.

Usage: python benchmarks/tiled_peak.py [--sizes 1000x750 6000x4500] FLAGS OF PREDICT
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ("1000x750", "3000x2250", "6000x4500", "12000x9000")


def write_picture(path: Path, height: int, width: int) -> None:
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = (127 + 120 * np.sin(columns / 97), 127 + 120 * np.sin(rows / 131), (rows + columns) % 256)
    Image.fromarray(np.stack([wave.astype(np.uint8) for wave in waves], axis=2)).save(path, quality=85)


def measure(command: list[str]) -> tuple[float, float]:
    """Peak of resident memory in MiB, and seconds, of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return usage.ru_maxrss / 1024, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="width x height")
    given, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes:
            width, height = map(int, size.split("x"))
            picture = Path(folder) / f"{size}.jpg"
            write_picture(picture, height, width)
            command = [sys.executable, "-m", "lightning_seg", "predict", *flags, "--images", str(picture)]
            peak, seconds = measure([*command, "--output", f"{folder}/out"])
            print(f"{size}: peak {peak:.0f} MiB, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
