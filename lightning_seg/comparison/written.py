"""What ``comparison.json`` says of a run that ``compare`` has trained: no torch, no Lightning."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.errors import DataError
from lightning_seg.json_files import read_json

COMPARISON_FILE = "comparison.json"
REMEDY = "the same compare command writes it anew"


class Spread(NamedTuple):
    """A number over the seeds."""

    mean: float
    deviation: float | None  # None of one seed


class Difference(NamedTuple):
    """Of two variants, with the interval of the mean."""

    first: str
    second: str
    difference: float
    low: float | None  # None is no bound, of one group of pictures
    high: float | None
    verdict: str


class WrittenComparison(NamedTuple):
    """As one of its variants is told."""

    variant: str
    seeds: tuple[int, ...]
    metric: str  # without split
    best_val: Spread
    test: Spread
    score: str  # of a picture
    level: float  # of the intervals
    differences: tuple[Difference, ...]  # from other variants


def read_comparison(run: Path) -> WrittenComparison | None:
    """Of the variant that a run belongs to; None if no comparison lies around its folder.

    Raises:
        DataError: if the comparison cannot be read.
    """
    # runs/VARIANT/seed_N in the folder of the comparison.
    parents = run.absolute().parents
    if len(parents) <= 3 or parents[1].name != "runs" or not (parents[2] / COMPARISON_FILE).is_file():
        return None
    path = parents[2] / COMPARISON_FILE
    content = read_json(path, REMEDY)
    try:
        return _told(content, parents[0].name)
    # Of a file of another version, or that somebody has changed.
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not as compare writes it ({type(error).__name__}: {error}); {REMEDY}") from error


def _told(content: Mapping[str, Any], variant: str) -> WrittenComparison | None:
    held = content["variants"].get(variant)
    if held is None:
        return None
    metric = str(content["metric"])
    return WrittenComparison(
        variant,
        tuple(map(int, content["seeds"])),
        metric,
        _spread(held[f"best/val/{metric}"]),
        _spread(held[f"test/{metric}"]),
        str(content["score"]),
        float(content["interval"]["level"]),
        tuple(_differences(content["pairs"], variant)),
    )


def _differences(pairs: Any, variant: str) -> Iterator[Difference]:
    for pair in pairs:
        first, second = str(pair["first"]), str(pair["second"])
        if variant in (first, second):
            low, high = map(_number, (pair["low"], pair["high"]))
            yield Difference(first, second, float(pair["difference"]), low, high, str(pair["verdict"]))


def _spread(held: Any) -> Spread:
    return Spread(float(held["mean"]), _number(held["deviation"]))


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
