"""The parser of commands."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jsonargparse

from lightning_seg.arguments import WordParser


class Parser(WordParser, jsonargparse.ArgumentParser):
    """jsonargparse's, for arguments with types."""


def parser_of(name: str, function: Callable[..., None], without: Collection[str] = ()) -> Parser:
    """The parser of a command, whose help is the docstring of its function, up to the arguments.

    Args:
        name: of the command.
        function: whose arguments are the flags.
        without: arguments that are no flags.
    """
    about = (inspect.getdoc(function) or "").partition("\nArgs:")[0].strip()
    parser = Parser(prog=f"lightning-seg {name}", description=about)
    parser.add_argument("--config", action="config", help="A config, by its file or name; a later one is laid over it.")
    parser.add_function_arguments(function, as_group=False, as_positional=True, sub_configs=True, skip={*without})
    return parser


def run_function(
    name: str,
    function: Callable[..., None],
    flags: Sequence[str],
    typed: Sequence[str],
    given: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Call the function of a command.

    Args:
        name: of the command.
        function: whose arguments are the flags.
        flags: for its arguments.
        typed: flags as the user has typed them, which errors are about.
        given: arguments that are no flags.
    """
    function(**build_arguments(name, function, flags, typed, given), **given)


def build_arguments(
    name: str,
    function: Callable[..., None],
    flags: Sequence[str],
    typed: Sequence[str],
    given: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, Any]:
    """The arguments that ``run_function`` calls the function with, classes built; see there."""
    Parser.typed = typed
    parser = parser_of(name, function, given)
    arguments = parser.instantiate(parser.parse_args(list(flags)))
    arguments.pop("config", None)
    return dict(arguments)
