"""``fit --help``: every argument in the spelling in which it is typed, those of the chosen classes among them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jsonargparse import ArgumentParser

from lightning_seg.arguments import CLASSES, Asked, Typed, add_own_flags, content_of, dotted
from lightning_seg.class_arguments import actions_of
from lightning_seg.cli.linking import LINKS
from lightning_seg.datamodules.base import DataModule
from lightning_seg.errors import ConfigError
from lightning_seg.runs import find_run
from lightning_seg.trainer.run_trainer import RunTrainer
from lightning_seg.trust import chosen_class

ROLES = re.compile(r":[\w:]+:`[^`]*?(\w+)`")
"""Sphinx's way to refer to a class or an argument."""
SUBCLASSES = re.compile(r",\s+known\s+subclasses:[^)]*\)")
"""A list of a hundred names."""
WITHOUT = {"model", "datamodule"}


def describe(subcommand: str, words: Sequence[str]) -> str:
    """The help page of a subcommand.

    Args:
        subcommand: of Lightning.
        words: what was typed behind it.

    Raises:
        ConfigError: if a config that was typed cannot be read.
    """
    asked = Asked.of([word for word in words if word not in ("-h", "--help")])
    typed = Typed.of(asked)
    if asked.runs:
        content = content_of(find_run(asked.runs[-1]), typed, own=subcommand == "fit")
        typed = typed._replace(contents=[content, *typed.contents])
    parser = ArgumentParser(prog=f"lightning-seg {subcommand}", usage=f"lightning-seg {subcommand} [options]")
    parser.add_argument("-c", "--config", metavar="FILE", help="File or name; later ones are laid over earlier ones.")
    parser.add_argument("--print_config", nargs="?", help="Print all arguments as a config, instead of doing anything.")
    add_own_flags(parser)
    parser.add_method_arguments(RunTrainer, subcommand, skip=WITHOUT)
    missing = [section for section in ("model", "data") if not _add_class(parser, section, typed)]
    trainer = parser.add_argument_group("Trainer (--trainer.NAME)")
    trainer.add_class_arguments(RunTrainer, "trainer", as_group=False)
    _set_defaults(parser, typed.contents)
    for action in actions_of(parser):
        action.help = ROLES.sub(r"\1", action.help or "")
    text = SUBCLASSES.sub(")", parser.format_help())
    return f"{text}\n{_hint(missing)}" if missing else text


def _add_class(parser: ArgumentParser, section: str, typed: Typed) -> bool:
    """The arguments of the section's class, if one was named.

    Raises:
        ConfigError: if there is no such class.
    """
    name = typed.classes.get(section)
    if name is None:
        return False
    kind = chosen_class(name, section)
    if kind is None:
        raise ConfigError(f"{section}: {name} cannot be found; give the path of a class, or a name of this package")
    group = parser.add_argument_group(f"{kind.__name__} (--{section} CLASS)")
    data = chosen_class(typed.classes.get("data", ""), "data")
    tells = data is not None and issubclass(data, DataModule)
    # What the datamodule says is not typed.
    skip: set[Any] = set(LINKS) if section == "model" and tells else set()
    group.add_class_arguments(kind, section, skip=skip, fail_untyped=False, as_group=False)
    return True


def _set_defaults(parser: ArgumentParser, contents: Sequence[Mapping[str, Any]]) -> None:
    """What the configs say is what holds unless something is typed."""
    known = {action.dest for action in actions_of(parser)}
    for content in contents:
        values = {name: value for name, value in dotted(content) if name in known and name not in ("model", "data")}
        parser.set_defaults(values)


def _hint(missing: Sequence[str]) -> str:
    lines = [f"  --{section} CLASS, for instance {', '.join(CLASSES[section])}" for section in missing]
    first = "With a config, or with a class, --help lists its arguments, too:"
    return "\n".join([first, "  --config pets, --run RUN", *lines, ""])
