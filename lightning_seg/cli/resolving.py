"""Resolving a command line to all its arguments, without running it."""

from collections.abc import Sequence
from typing import Any

from pytorch_lightning.cli import LightningArgumentParser

from lightning_seg.arguments import RunArguments, import_public_classes
from lightning_seg.cli.command_line import CommandLine
from lightning_seg.errors import ConfigError, RefusedError


class _Resolving(CommandLine):
    """Reads the typed words, without building or running anything."""

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        super().parse_arguments(parser, args)
        raise _Read(self.plain_config())


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
    try:
        _Resolving(RunArguments.parse(["fit", *words]))
    except _Read as read:
        return {name: value for name, value in read.values.items() if name != "config"}
    except RefusedError as refused:
        raise ConfigError(refused.line) from refused
    raise AssertionError("a command line was not read")
