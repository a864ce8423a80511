"""Commands that take every flag of ``fit`` beside their own."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from lightning_seg.arguments import grouped
from lightning_seg.commands.parsing import run_function

FIT = "fit"
"""The argument of such a command that takes the flags of ``fit``."""


def run_with_fit(name: str, function: Callable[..., None], flags: Sequence[str]) -> None:
    """Call the function of a command; flags that are none of its arguments are those of ``fit``.

    Args:
        name: of the command.
        function: with an argument ``fit``.
        flags: as typed.
    """
    own, fit = _split(function, flags)
    run_function(name, function, own, flags, {FIT: fit})


def _split(function: Callable[..., Any], flags: Sequence[str]) -> tuple[list[str], list[str]]:
    names = {f"--{name}" for name in inspect.signature(function).parameters if name != FIT} | {"-h", "--help"}
    own, fit = list[str](), list[str]()
    for flag, values in grouped(flags):
        kept = own if flag.partition("=")[0] in names else fit
        kept += [flag, *values] if flag else values
    return own, fit
