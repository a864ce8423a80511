"""Peak memory of ``lightning-seg predict --tile`` over the size of the picture.

Usage: python benchmarks/tiled_peak.py --run RUN [--tile 512] [--overlap 64]
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

SIZES = ((750, 1000), (2250, 3000), (4500, 6000), (9000, 12000))


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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--tile", default="512")
    parser.add_argument("--overlap", default="64")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for height, width in SIZES:
            picture = Path(folder) / f"{width}x{height}.jpg"
            write_picture(picture, height, width)
            command = [sys.executable, "-m", "lightning_seg", "predict", "--run", given.run, "--images", str(picture)]
            command += ["--output", f"{folder}/out", "--tile", given.tile, "--overlap", given.overlap]
            peak, seconds = measure(command)
            print(f"{width}x{height}: peak {peak:.0f} MiB, {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
