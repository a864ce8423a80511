"""Parsers of commands: their errors are one line, and they do not guess what an unfinished flag means."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import jsonargparse

from lightning_seg.arguments import OneLineErrors


class Parser(OneLineErrors, jsonargparse.ArgumentParser):
    """jsonargparse's, for arguments with types."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})


class WordParser(OneLineErrors, argparse.ArgumentParser):
    """argparse's, which also hands back what it does not know."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})


def run_function(name: str, function: Callable[..., None], flags: Sequence[str], typed: Sequence[str]) -> None:
    """Call the function of a command.

    Args:
        name: of the command.
        function: whose arguments are the flags.
        flags: for its arguments.
        typed: flags as the user has typed them, which errors are about.
    """
    Parser.typed = typed
    jsonargparse.auto_cli(function, args=list(flags), prog=f"lightning-seg {name}", parser_class=Parser)
