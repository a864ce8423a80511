"""What a comparison says of a run, where ``compare`` has trained it: means over seeds, and intervals."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning_seg.errors import DataError
from lightning_seg.json_files import read_json
from lightning_seg.report.metrics import spoken
from lightning_seg.report.records import Table, table_of

COMPARISON_FILE = "comparison.json"
REMEDY = "the same compare command writes it anew"


def comparison_tables(folder: Path) -> list[Table]:
    """Of the variant that a run belongs to; none if no comparison lies around its folder.

    Raises:
        DataError: if the comparison cannot be read.
    """
    # runs/VARIANT/seed_N in the folder of the comparison.
    variant, runs, output = folder.absolute().parents[:3] if len(folder.absolute().parents) > 3 else [folder] * 3
    path = output / COMPARISON_FILE
    if runs.name != "runs" or not path.is_file():
        return []
    content = read_json(path, REMEDY)
    try:
        return list(_tables(content, variant.name))
    # Of a file of another version, or that somebody has changed.
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not as compare writes it ({type(error).__name__}: {error}); {REMEDY}") from error


def _tables(content: Mapping[str, Any], name: str) -> Iterator[Table]:
    variant = content["variants"].get(name)
    if variant is None:
        return
    rows = [
        (f"{spoken(metric)}, {what}", numbers["mean"], numbers["deviation"])
        for what, metric, numbers in (
            ("best of validation", content["metric"], variant[f"best/val/{content['metric']}"]),
            ("test", content["metric"], variant[f"test/{content['metric']}"]),
        )
    ]
    seeds = ", ".join(map(str, content["seeds"]))
    yield table_of(f"Over the seeds {seeds}", (f"variant {name}", "mean", "standard deviation"), rows)
    level = f"{100 * content['interval']['level']:.0f} %"
    pairs = [
        (
            f"{pair['first']} - {pair['second']}",
            pair["difference"],
            *map(_bound, (pair["low"], pair["high"])),
            pair["verdict"],
        )
        for pair in content["pairs"]
        if name in (pair["first"], pair["second"])
    ]
    heads = ("pair", f"difference in {content['score']}", f"lowest of {level}", f"highest of {level}", "verdict")
    if pairs:
        yield table_of("Compared with other variants", heads, pairs)


def _bound(value: float | None) -> float | str:
    """Of one group of pictures there are no finite bounds, which JSON has no number for."""
    return "no bound" if value is None else value
