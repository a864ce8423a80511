"""Every picture is read once before the first batch, so that no training ends in its middle for a broken file."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

from lightning_seg.datasets.base import PictureDataset
from lightning_seg.datasets.facts import PictureFacts
from lightning_seg.errors import ConfigError, DataError

log = logging.getLogger(__name__)
Unreadable = Literal["error", "skip"]
MAX_NAMED = 3


def check_choice(name: str, value: str) -> str:
    """The value. Raises ConfigError if it is neither ``error`` nor ``skip``."""
    if value not in get_args(Unreadable):
        raise ConfigError(f"{name} {value!r} does not exist; choose {' or '.join(get_args(Unreadable))}")
    return value


def leave_out_unreadable(
    dataset: PictureDataset[Any, Any], facts: Iterable[PictureFacts], split: str, unreadable: Unreadable
) -> list[str]:
    """Take the pictures out of a dataset that cannot be read.

    Args:
        dataset: whose records are cut down.
        facts: about each of its pictures, in their order.
        split: name of its split, for messages.
        unreadable: what to do about such a picture.

    Returns:
        The paths of the pictures that are left out.

    Raises:
        DataError: with ``error``, naming the first such picture, and how many more there are; with ``skip`` if no other
            picture is left.
    """
    wrong = {number: one for number, one in enumerate(facts) if one.problem}
    if not wrong:
        return []
    first, total = next(iter(wrong.values())), len(dataset)
    if unreadable == "error":
        more = f"; {len(wrong) - 1} more of {total} pictures cannot be read" if len(wrong) > 1 else ""
        raise DataError(f"{first.problem}{more}; or train without them: --data.unreadable skip")
    if len(wrong) == total:
        raise DataError(f"none of the {total} pictures of {split} can be read; the first: {first.problem}")
    dataset.records = [record for number, record in enumerate(dataset.records) if number not in wrong]
    names = ", ".join(Path(one.path).name for one in list(wrong.values())[:MAX_NAMED])
    log.warning(
        "unreadable skip: %d of %d pictures of %s are left out: %s%s",
        *(len(wrong), total, split, names, ", ..." if len(wrong) > MAX_NAMED else ""),
    )
    return [one.path for one in wrong.values()]
