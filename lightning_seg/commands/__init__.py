"""The commands beside Lightning's: one file each, with a typed function of the file's name."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from jsonargparse import ArgumentParser, auto_cli

from lightning_seg.arguments import OneLineErrors
from lightning_seg.errors import ConfigError
from lightning_seg.stopping import at_stake

COMMANDS = ("benchmark", "cache", "compare", "preview", "synthesize")
LIGHTNING = ("fit", "validate", "test", "predict")
STOPPED = {
    "benchmark": "nothing is measured",
    "cache": "no cache is kept, since it is moved into place when it is complete",
    "compare": "no run has begun",
    "preview": "no picture is written",
    "synthesize": "no dataset is written, since it is moved into place when it is complete",
}
"""What a command has done if it is stopped before its end."""


class Parser(OneLineErrors, ArgumentParser):
    """jsonargparse's parser with errors of one line; it does not complete abbreviated flags."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})


def run_command(argv: Sequence[str]) -> None:
    """Call the function of the first word with the flags after it.

    Raises:
        ConfigError: if there is no such command.
    """
    name, *flags = argv
    if name not in COMMANDS:
        near = get_close_matches(name, (*LIGHTNING, *COMMANDS), n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"no command {name!r}; {hint}There are {', '.join((*LIGHTNING, *COMMANDS))}")
    module = import_module(f"lightning_seg.commands.{name}")
    # Some take what is typed for another command.
    prepare_flags = getattr(module, "prepare_flags", list)
    Parser.typed = flags
    at_stake(lambda: f"{STOPPED[name]}; the same command begins anew")
    auto_cli(getattr(module, name), args=prepare_flags(flags), prog=f"lightning-seg {name}", parser_class=Parser)
    at_stake(lambda: "its work is done")
