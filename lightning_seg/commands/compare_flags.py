"""The command line of ``compare``: that of ``fit`` and a few more flags."""

import json
import re
from collections.abc import Sequence

from lightning_seg.arguments import bare_is_true, take

OWN_FLAGS = ("--seeds", "--output", "--unequal_budgets", "--configs", "--fit", "--print_config", "--help", "-h")
"""Flags that are not for ``fit``."""


def prepare_flags(flags: Sequence[str]) -> list[str]:
    """Flags for ``fit`` become a list, and words of no flag are configs."""
    variants, rest = take(bare_is_true(flags, "--unequal_budgets"), ("--variant",))
    named, rest = take(rest, ("--config", "-c"))
    configs, own, fit = _split(_join_seeds(rest))
    lists = {"--configs": [*configs, *named], "--variant": variants, "--fit": fit}
    # As JSON, because a word by itself, such as null or [1, 2], would be read as a value.
    return [*own, *(f"{name}+={json.dumps(words)}" for name, words in lists.items() if words)]


def _join_seeds(words: Sequence[str]) -> list[str]:
    """``--seeds 0 1 2`` or ``0,1,2`` as a list."""
    joined: list[str] = []
    numbers: list[str] | None = None
    for word in [*words, ""]:
        if numbers is not None and re.fullmatch(r"-?\d+(,-?\d+)*", word):
            numbers += word.split(",")
            continue
        if numbers:
            joined[-1] += f"={numbers[0]}" if len(numbers) == 1 else f"=[{', '.join(numbers)}]"
        numbers = [] if word == "--seeds" else None
        joined.append(word)
    return joined[:-1]


def _split(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """The configs, the flags of this command, and those of ``fit``; every flag takes one word."""
    configs: list[str] = []
    own: list[str] = []
    fit: list[str] = []
    kept = configs
    for word in words:
        if word.startswith("-") and not _is_number(word):
            name, equals, _ = word.partition("=")
            flags = own if name.rstrip("+") in OWN_FLAGS else fit
            flags.append(word)
            kept = configs if equals or name in ("--help", "-h") else flags
        else:
            kept.append(word)
            kept = configs
    return configs, own, fit


def _is_number(word: str) -> bool:
    return re.fullmatch(r"-?[\d.]+(e-?\d+)?", word) is not None
