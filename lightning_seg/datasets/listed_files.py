"""Check of the names on a published list against the existing files."""

from collections.abc import Sequence, Set
from pathlib import Path

from lightning_seg.errors import DataError

MAX_NAMED = 10


def check_listed(
    root: Path, names: Sequence[str], pictures: Set[str], masks: Set[str] | None, remedy: str, mask: str = "mask"
) -> None:
    """Every listed name needs a picture, and a mask if there are masks.

    Args:
        root: folder of the dataset, for the message.
        names: on the list.
        pictures: names with a picture.
        masks: names with a mask; None checks pictures alone.
        remedy: end of the message.
        mask: word for a mask.

    Raises:
        DataError: if files are missing.
    """
    problems = (
        {"have no picture": [name for name in names if name not in pictures]}
        if masks is None
        else {
            f"have a {mask} and no picture": [name for name in names if name in masks - pictures],
            f"have a picture and no {mask}": [name for name in names if name in pictures - masks],
            f"have neither picture nor {mask}": [name for name in names if name not in pictures | masks],
        }
    )
    found = [f"{len(some)} listed names {problem}: {_first(some)}" for problem, some in problems.items() if some]
    if found:
        raise DataError(f"{root}: {'; '.join(found)}; {remedy}")


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")
