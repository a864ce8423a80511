"""Resolving a command line to all its arguments, without running it."""

from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

from pytorch_lightning.cli import LightningArgumentParser

from lightning_seg.arguments import RunArguments, import_public_classes
from lightning_seg.cli.command_line import CommandLine
from lightning_seg.errors import ConfigError


class _Resolving(CommandLine):
    """Reads the typed words, without building or running anything."""

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        super().parse_arguments(parser, args)
        raise _Read(self.plain_config("fit"))


class _Read(Exception):  # noqa: N818
    """Ends a command line that has been read."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__()
        self.values = values


def resolve_config(words: Sequence[str]) -> dict[str, Any]:
    """All arguments that ``fit`` with these flags would have, as plain values.

    Raises:
        ConfigError: with the parser's message.
    """
    import_public_classes()
    said = StringIO()
    try:
        with redirect_stderr(said):
            _Resolving(RunArguments.parse(["fit", *words]))
    except _Read as read:
        return {name: value for name, value in read.values.items() if name != "config"}
    except SystemExit as stop:
        raise parser_error(said.getvalue(), stop) from stop
    raise AssertionError("a command line was not read")


def parser_error(said: str, stop: SystemExit) -> ConfigError:
    """What a parser has said before it ended, as an error."""
    lines = said.strip().splitlines() or [f"exit code {stop.code}"]
    return ConfigError(lines[-1].removeprefix("lightning-seg: error: "))
