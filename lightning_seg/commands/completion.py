"""``lightning-seg completion``: what a shell completes behind ``lightning-seg``."""

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from jsonargparse import capture_parser

import lightning_seg
from lightning_seg.arguments import CLASSES
from lightning_seg.class_arguments import actions_of
from lightning_seg.cli import run_lightning
from lightning_seg.commands import compare_flags, synthesize
from lightning_seg.commands.parsing import Parser, parser_of
from lightning_seg.configs import describe_shipped
from lightning_seg.errors import ConfigError

__all__ = ["completion"]
FUNCTIONS = ("app", "benchmark", "cache", "card", "doctor", "export", "preview", "push", "report")
"""Commands whose flags are the arguments of a function."""
BESIDE_FIT = ("batch-size-find", "lr-find")
"""Commands whose flags are the arguments of a function, and all flags of ``fit``."""
SHELLS = ("bash", "zsh", "tcsh")
CONFIG = ("--config", "-c")
"""Takes names and files."""
NAMES_OR_FILES = {"bash": "_lightning_seg_configs", "zsh": "_files", "tcsh": "f"}
"""What completes them, by shell."""
Flags = Mapping[str, Sequence[str]]
"""What each chooses from, where that is known."""


def completion(shell: Literal["bash", "zsh", "tcsh"]) -> None:
    """Print the script with which a shell completes commands, flags, and names of classes and of configs.

    Args:
        shell: Whose script.
    """
    if find_spec("shtab") is None:
        raise ConfigError("completion needs the package shtab; install it with pip install shtab")
    import shtab

    # A flag of shtab takes either words or files, and --config takes both.
    names = (
        f'{NAMES_OR_FILES["bash"]}() {{ compgen -W \'{" ".join(_names_of_configs())}\' -- "$1"; compgen -f -- "$1"; }}'
    )
    print(shtab.complete(make_parser(shtab.FILE), shell, preamble={"bash": names}))


def make_parser(files: object = None) -> ArgumentParser:
    """The words of all commands, without what they mean.

    jsonargparse would make a script of its own parsers, but it follows whatever any argument of any class may be built
    of, for minutes.

    Args:
        files: how shtab completes the names of files.
    """
    parser = ArgumentParser(prog="lightning-seg")
    parser.add_argument("--version", action="store_true")
    commands = parser.add_subparsers(dest="command")
    for name, flags in _flags_of_commands().items():
        _add(_parser_in(commands, name), flags, files)
    _parser_in(commands, "configs").add_argument("name", choices=_names_of_configs())
    _parser_in(commands, "completion").add_argument("shell", choices=SHELLS)
    datasets = _parser_in(commands, "synthesize").add_subparsers(dest="dataset")
    for name, recipe in synthesize.RECIPES.items():
        dataset = _parser_in(datasets, name)
        _complete(dataset.add_argument("root"), files)
        _add(dataset, _flags_of(synthesize.add_arguments(Parser(), recipe)), files)
    return parser


def _parser_in(commands: Any, name: str) -> ArgumentParser:
    """Of a word; newer shtab leaves out what has no help."""
    parser: ArgumentParser = commands.add_parser(name, help=name)
    return parser


def _flags_of_commands() -> dict[str, Flags]:
    model, data = _flags_of_classes("model"), _flags_of_classes("data")
    flags: dict[str, Flags] = {name: {**own, **model, **data} for name, own in _flags_of_lightning().items()}
    flags["compare"] = {**flags["fit"], **_flags_of(compare_flags.make_parser())}
    for name in (*FUNCTIONS, *BESIDE_FIT):
        function = name.replace("-", "_")
        module = import_module(f"lightning_seg.commands.{function}")
        own = _flags_of(parser_of(name, getattr(module, function), getattr(module, "NO_FLAGS", ())))
        flags[name] = {**own, **data} if "--data" in own else own
        flags[name] = {**flags["fit"], **own} if name in BESIDE_FIT else flags[name]
    configs = dict.fromkeys(CONFIG, _names_of_configs())
    return {name: {**own, **configs} if "--data" in own else own for name, own in flags.items()}


def _names_of_configs() -> Sequence[str]:
    return [name for name, _ in describe_shipped()]


def _flags_of_lightning() -> dict[str, Flags]:
    """Of ``fit`` and the others, from their parser."""
    parser: Any = capture_parser(lambda: run_lightning(["fit"]))
    subcommands = next(action.choices for action in actions_of(parser) if isinstance(action.choices, dict))
    return {name: _flags_of(own) for name, own in subcommands.items()}


def _flags_of_classes(section: str) -> Flags:
    """The section, which chooses a class, and the arguments of all of them."""
    flags: dict[str, Sequence[str]] = {f"--{section}": CLASSES[section]}
    for name in CLASSES[section]:
        parser = Parser()
        parser.add_class_arguments(getattr(lightning_seg, name), section, fail_untyped=False)
        flags |= {flag: () for flag in _flags_of(parser) if flag.startswith(f"--{section}.")}
    return flags


def _flags_of(parser: ArgumentParser) -> Flags:
    shown = [action for action in actions_of(parser) if action.help != SUPPRESS]
    return {flag: tuple(action.choices or ()) for action in shown for flag in action.option_strings}


def _add(parser: ArgumentParser, flags: Flags, files: object) -> None:
    for flag, choices in flags.items():
        if flag in ("-h", "--help"):
            continue
        action = parser.add_argument(flag, choices=choices or None)
        if flag in CONFIG:
            _complete(action, files and NAMES_OR_FILES)
        elif not choices:
            _complete(action, files)


def _complete(action: Any, files: object) -> None:
    """By an attribute, as shtab wants it."""
    if files is not None:
        action.complete = files
