"""The views of a picture over which test-time augmentation takes the mean; without torch."""

from typing import Literal, NamedTuple

from lightning_seg.errors import ConfigError

ViewSet = Literal["hflip", "flips", "d4"]


class View(NamedTuple):
    """Left and right swapped if ``mirrored``, then turned by ``turns`` quarter turns."""

    mirrored: bool
    turns: int


VIEWS: dict[ViewSet, tuple[View, ...]] = {
    "hflip": (View(False, 0), View(True, 0)),
    "flips": (View(False, 0), View(True, 0), View(True, 2), View(False, 2)),
    "d4": tuple(View(mirrored, turns) for mirrored in (False, True) for turns in range(4)),
}
"""``hflip``: original and mirrored. ``flips``: also upside down, and both. ``d4``: all eight symmetries of a square."""


def check_views(views: str | None) -> None:
    """Raises ConfigError if there is no set of this name.

    Examples:
        >>> check_views("rotations")
        Traceback (most recent call last):
        lightning_seg.errors.ConfigError: tta 'rotations' does not exist; choose hflip, flips, d4
    """
    if views is not None and views not in VIEWS:
        raise ConfigError(f"tta {views!r} does not exist; choose {', '.join(VIEWS)}")
