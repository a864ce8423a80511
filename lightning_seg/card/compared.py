"""What a comparison says about the run, if it was trained by one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning_seg.errors import DataError
from lightning_seg.json_files import read_json

RESULT = "comparison.json"


def compared_lines(run: Path) -> list[str]:
    """The intervals of the run's variant: lines of Markdown; none if it is no run of a comparison that has ended."""
    folder = next((parent for parent in run.absolute().parents[:4] if (parent / RESULT).is_file()), None)
    if folder is None:
        return []
    try:
        content = read_json(folder / RESULT, "compare again")
        return list(_lines(content, _variant_of(run, content)))
    # Somebody else's file of this name, or a part of one.
    except (DataError, KeyError, TypeError, AttributeError):
        return []


def _variant_of(run: Path, content: Mapping[str, Any]) -> str:
    place = run.absolute().parts[-2:]
    for name, variant in content["variants"].items():
        if any(Path(one["folder"]).parts[-2:] == place for one in variant["runs"]):
            return str(name)
    raise KeyError(place)


def _lines(content: Mapping[str, Any], variant: str) -> Iterator[str]:
    seeds, metric = content["seeds"], content["metric"]
    for name in (f"best/val/{metric}", f"test/{metric}"):
        held = content["variants"][variant][name]
        spread = "" if held["deviation"] is None else f" +- {held['deviation']:.4f} (standard deviation)"
        yield f"* {name} over {len(seeds)} seeds: {held['mean']:.4f}{spread}"
    for pair in content["pairs"]:
        if variant in (pair["first"], pair["second"]):
            yield (
                f"* {pair['first']} minus {pair['second']}, {content['score']} per test picture: "
                f"{pair['difference']:+.4f} [{pair['low']:+.4f}, {pair['high']:+.4f}] "
                f"({content['interval']['level']:.0%} interval), {pair['verdict']}"
            )
