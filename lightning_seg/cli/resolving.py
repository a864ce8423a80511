"""Resolving a command line to all its arguments, without running it."""

from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

import yaml

from lightning_seg.arguments import RunArguments, import_public_classes
from lightning_seg.cli.command_line import CommandLine
from lightning_seg.errors import ConfigError


class _Resolving(CommandLine):
    """Reads the typed words, without building or running anything."""

    def _set_seed(self) -> None:
        pass

    def before_instantiate_classes(self) -> None:
        pass

    def instantiate_classes(self) -> None:
        pass

    def _run_subcommand(self, subcommand: str) -> None:
        pass


def resolve_config(words: Sequence[str]) -> dict[str, Any]:
    """All arguments that ``fit`` with these flags would have, as plain values.

    Raises:
        ConfigError: with the parser's message.
    """
    import_public_classes()
    said = StringIO()
    try:
        with redirect_stderr(said):
            command = _Resolving(RunArguments.parse(["fit", *words]))
    except SystemExit as stop:
        lines = said.getvalue().strip().splitlines() or [f"exit code {stop.code}"]
        raise ConfigError(lines[-1].removeprefix("lightning-seg: error: ")) from stop
    text = command._parser("fit").dump(command.config["fit"], skip_none=False)
    values: dict[str, Any] = yaml.safe_load(text)
    values.pop("config", None)
    return values
