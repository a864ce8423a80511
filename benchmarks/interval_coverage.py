"""How often the interval of ``lightning-seg compare`` holds the true difference, which is 0 here.

Beside it, the bootstrap that draws seeds with replacement as it draws pictures; with --views, where pictures come in
groups such as the views of a car, the same interval taken as if every picture stood for itself.

Usage: python benchmarks/interval_coverage.py [--trials 1000] [--pictures 60]
       python benchmarks/interval_coverage.py --views 16 [--cars 8 20 60]
"""

import argparse
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lightning_seg.comparison.intervals import paired_interval

NUM_DRAWS = 500
Numbers = NDArray[np.float64]
CASES = {
    "seeds matter most": (0.03, 0.05, 0.05),
    "seeds and pictures matter": (0.02, 0.3, 0.4),
    "pictures matter alone": (0.0, 0.2, 0.4),
}
"""Standard deviations: of a seed, of a picture with all seeds, of a picture with one seed."""
CARS = {"cars matter most": (0.0, 0.2, 0.1), "seeds and cars matter": (0.05, 0.2, 0.1)}
"""Standard deviations: of a seed, of a car with all seeds, of a view with one seed."""


def draw_differences(
    case: tuple[float, float, float], num_seeds: int, num_pictures: int, generator: np.random.Generator, views: int = 1
) -> Numbers:
    """``(S, N)``; so many views in a row are of one group, which has one effect with all seeds."""
    of_seed, of_group, of_both = case
    differences: Numbers = of_seed * generator.normal(size=(num_seeds, 1))
    differences = differences + of_group * generator.normal(size=(1, num_pictures // views)).repeat(views, axis=1)
    return differences + of_both * generator.normal(size=(num_seeds, num_pictures))


def plain_bootstrap_holds_zero(differences: Numbers, generator: np.random.Generator) -> bool:
    num_seeds, num_pictures = differences.shape
    times = generator.multinomial(num_pictures, np.full(num_pictures, 1 / num_pictures), size=NUM_DRAWS)
    means = times @ differences.T / num_pictures
    drawn = generator.integers(num_seeds, size=(NUM_DRAWS, num_seeds))
    low, high = np.quantile(np.take_along_axis(means, drawn, axis=1).mean(axis=1), [0.025, 0.975])
    return bool(low <= 0 <= high)


def interval_holds_zero(differences: Numbers, groups: Mapping[str, str] | None = None) -> bool:
    by_seed = [{str(index): value for index, value in enumerate(row)} for row in differences.tolist()]
    return paired_interval(by_seed, NUM_DRAWS, groups=groups).holds_zero


def measure_pictures(num_trials: int, num_pictures: int, generator: np.random.Generator) -> None:
    print("| what varies | seeds | compare | seeds drawn with replacement |\n|---|---:|---:|---:|")
    for name, case in CASES.items():
        for num_seeds in (2, 3, 5, 10):
            trials = [draw_differences(case, num_seeds, num_pictures, generator) for _ in range(num_trials)]
            ours = np.mean([interval_holds_zero(trial) for trial in trials])
            plain = np.mean([plain_bootstrap_holds_zero(trial, generator) for trial in trials])
            print(f"| {name} | {num_seeds} | {100 * ours:.0f} % | {100 * plain:.0f} % |", flush=True)


def measure_groups(num_trials: int, views: int, all_cars: list[int], generator: np.random.Generator) -> None:
    print("| what varies | cars | seeds | compare | every picture by itself |\n|---|---:|---:|---:|---:|")
    for name, case in CARS.items():
        for num_cars in all_cars:
            groups = {str(index): f"car {index // views}" for index in range(num_cars * views)}
            for num_seeds in (1, 3, 5):
                size = num_cars * views
                trials = [draw_differences(case, num_seeds, size, generator, views) for _ in range(num_trials)]
                ours = np.mean([interval_holds_zero(trial, groups) for trial in trials])
                apart = np.mean([interval_holds_zero(trial) for trial in trials])
                shown = f"| {name} | {num_cars} | {num_seeds} | {100 * ours:.0f} % | {100 * apart:.0f} % |"
                print(shown, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--views", type=int, default=1, help="pictures of a group")
    parser.add_argument("--cars", type=int, nargs="+", default=[8, 20, 60], help="how many groups, with --views")
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    if arguments.views > 1:
        measure_groups(arguments.trials, arguments.views, arguments.cars, generator)
    else:
        measure_pictures(arguments.trials, arguments.pictures, generator)


if __name__ == "__main__":
    main()
