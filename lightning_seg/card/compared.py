"""What a comparison says about the run, if it was trained by one."""

from collections.abc import Iterator
from pathlib import Path

from lightning_seg.comparison.written import WrittenComparison, read_comparison


def compared_lines(run: Path) -> list[str]:
    """The intervals of the run's variant: lines of Markdown; none if it is no run of a comparison that has ended.

    Raises:
        DataError: if the comparison cannot be read.
    """
    comparison = read_comparison(run)
    return [] if comparison is None else list(_lines(comparison))


def _lines(comparison: WrittenComparison) -> Iterator[str]:
    metric, seeds = comparison.metric, len(comparison.seeds)
    for name, held in ((f"best/val/{metric}", comparison.best_val), (f"test/{metric}", comparison.test)):
        spread = "" if held.deviation is None else f" +- {held.deviation:.4f} (standard deviation)"
        yield f"* {name} over {seeds} seeds: {held.mean:.4f}{spread}"
    for one in comparison.differences:
        yield (
            f"* {one.first} minus {one.second}, {comparison.score} per test picture: "
            f"{one.difference:+.4f} [{_bound(one.low)}, {_bound(one.high)}] "
            f"({comparison.level:.0%} interval), {one.verdict}"
        )


def _bound(value: float | None) -> str:
    return "no bound" if value is None else f"{value:+.4f}"
