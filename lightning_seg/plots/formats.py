"""The formats of plots, as they are asked for."""

from typing import TypeAlias

from lightning_seg.errors import ConfigError

FORMATS = ("png", "svg", "pdf")
Formats: TypeAlias = tuple[str, ...]
PNG: Formats = ("png",)


def parse_formats(given: str) -> Formats:
    """What ``--plots png,svg`` says.

    Raises:
        ConfigError: if a word is no format.
    """
    words = [word.strip() for word in str(given).split(",")]
    wrong = [word for word in words if word not in FORMATS]
    if wrong:
        raise ConfigError(
            f"plots {given}: {wrong[0]!r} is no format of a plot; give png, svg or pdf, or some as png,svg"
        )
    return tuple(dict.fromkeys(words))
