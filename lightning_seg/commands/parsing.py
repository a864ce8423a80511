"""The parser of commands."""

from collections.abc import Callable, Sequence

import jsonargparse

from lightning_seg.arguments import WordParser


class Parser(WordParser, jsonargparse.ArgumentParser):
    """jsonargparse's, for arguments with types."""


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
