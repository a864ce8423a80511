"""What a comparison says of a run, where ``compare`` has trained it: means over seeds, and intervals."""

from collections.abc import Iterator
from pathlib import Path

from lightning_seg.comparison.written import WrittenComparison, read_comparison
from lightning_seg.report.metrics import spoken
from lightning_seg.report.records import Table, table_of


def comparison_tables(folder: Path) -> list[Table]:
    """Of the variant that a run belongs to; none if no comparison lies around its folder.

    Raises:
        DataError: if the comparison cannot be read.
    """
    comparison = read_comparison(folder)
    return [] if comparison is None else list(_tables(comparison))


def _tables(comparison: WrittenComparison) -> Iterator[Table]:
    rows = [
        (f"{spoken(comparison.metric)}, {what}", spread.mean, spread.deviation)
        for what, spread in (("best of validation", comparison.best_val), ("test", comparison.test))
    ]
    seeds = ", ".join(map(str, comparison.seeds))
    yield table_of(f"Over the seeds {seeds}", (f"variant {comparison.variant}", "mean", "standard deviation"), rows)
    level = f"{100 * comparison.level:.0f} %"
    pairs = [
        (f"{one.first} - {one.second}", one.difference, *map(_bound, (one.low, one.high)), one.verdict)
        for one in comparison.differences
    ]
    heads = ("pair", f"difference in {comparison.score}", f"lowest of {level}", f"highest of {level}", "verdict")
    if pairs:
        yield table_of("Compared with other variants", heads, pairs)


def _bound(value: float | None) -> float | str:
    """Of one group of pictures there are no finite bounds, which JSON has no number for."""
    return "no bound" if value is None else value
