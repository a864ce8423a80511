"""How often the interval of ``lightning-seg compare`` holds the true difference, which is 0 here.

Beside it, the bootstrap that draws seeds with replacement as it draws pictures.

Usage: python benchmarks/interval_coverage.py [--trials 1000]
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from lightning_seg.comparison.intervals import paired_interval

NUM_DRAWS = 500
CASES = {
    "seeds matter most": (0.03, 0.05, 0.05),
    "seeds and pictures matter": (0.02, 0.3, 0.4),
    "pictures matter alone": (0.0, 0.2, 0.4),
}
"""Standard deviations: of a seed, of a picture with all seeds, of a picture with one seed."""


def draw_differences(
    case: tuple[float, float, float], num_seeds: int, num_pictures: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """``(S, N)``."""
    of_seed, of_picture, of_both = case
    differences: NDArray[np.float64] = of_seed * generator.normal(size=(num_seeds, 1))
    differences = differences + of_picture * generator.normal(size=(1, num_pictures))
    return differences + of_both * generator.normal(size=(num_seeds, num_pictures))


def plain_bootstrap_holds_zero(differences: NDArray[np.float64], generator: np.random.Generator) -> bool:
    num_seeds, num_pictures = differences.shape
    times = generator.multinomial(num_pictures, np.full(num_pictures, 1 / num_pictures), size=NUM_DRAWS)
    means = times @ differences.T / num_pictures
    drawn = generator.integers(num_seeds, size=(NUM_DRAWS, num_seeds))
    low, high = np.quantile(np.take_along_axis(means, drawn, axis=1).mean(axis=1), [0.025, 0.975])
    return bool(low <= 0 <= high)


def interval_holds_zero(differences: NDArray[np.float64]) -> bool:
    by_seed = [{str(index): value for index, value in enumerate(row)} for row in differences.tolist()]
    return paired_interval(by_seed, NUM_DRAWS).holds_zero


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=60)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    print("| what varies | seeds | compare | seeds drawn with replacement |\n|---|---:|---:|---:|")
    for name, case in CASES.items():
        for num_seeds in (2, 3, 5, 10):
            trials = [draw_differences(case, num_seeds, arguments.pictures, generator) for _ in range(arguments.trials)]
            ours = np.mean([interval_holds_zero(trial) for trial in trials])
            plain = np.mean([plain_bootstrap_holds_zero(trial, generator) for trial in trials])
            print(f"| {name} | {num_seeds} | {100 * ours:.0f} % | {100 * plain:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
