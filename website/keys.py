"""The keys of a config, asked of the parser that reads configs: name, type, default, and what the docstring says."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple, get_args

import pytorch_lightning as pl
from jsonargparse import ArgumentParser, capture_parser
from pytorch_lightning.loggers import Logger

from lightning_seg.class_arguments import actions_of, parser_of, types_of
from lightning_seg.cli import run_lightning
from lightning_seg.commands import LIGHTNING
from website.public import REFERENCE, class_homes, public_classes, public_names
from website.type_words import type_words, value_words

HIDDEN = "==SUPPRESS=="
ROLE = re.compile(r":[\w:]+:`~?\.?(?:[\w.]+\.)?(\w+)`")
"""Sphinx's way to refer to something."""
LITERAL = re.compile(r"``(.+?)``")
ROLE_OF_KEYS = ("model", "data", "trainer")


class Key(NamedTuple):
    """One row of the reference."""

    name: str
    type: str
    default: str
    about: str


class Section(NamedTuple):
    """The keys of one class, or of what a command takes beside classes."""

    title: str
    place: str
    """Where in a config its keys stand."""
    path: str | None
    """By which Python imports it."""
    keys: list[Key]


ROLES: dict[str, tuple[type, str]] = {
    "tasks": (pl.LightningModule, "model.init_args"),
    "datamodules": (pl.LightningDataModule, "data.init_args"),
    "callbacks": (pl.Callback, "trainer.callbacks[].init_args"),
    "loggers": (Logger, "trainer.logger[].init_args"),
    "trainer": (pl.Trainer, "trainer"),
}
"""What a config can build, and where."""


def sections() -> dict[str, list[Section]]:
    """By page: everything that a config can build, and the values of its keys that have keys themselves."""
    pages: dict[str, list[Section]] = {}
    rest = dict(public_classes())
    for page, (role, place) in ROLES.items():
        ours = {path: kind for path, kind in rest.items() if issubclass(kind, role)}
        pages[page] = [Section(kind.__name__, place, path, keys_of(kind)) for path, kind in ours.items()]
        rest = {path: kind for path, kind in rest.items() if path not in ours}
    pages["flags"] = [Section(name, "the top level", None, flags_of(name)) for name in LIGHTNING]
    pages["values"] = [Section(kind.__name__, "a value", path, keys_of(kind)) for path, kind in _values(rest).items()]
    return {page: [one for one in found if one.keys] for page, found in pages.items() if found}


def _values(rest: Mapping[str, type]) -> dict[str, type]:
    """Classes of ours that are the value of a key."""
    builders = [
        kind for kind in public_classes().values() if issubclass(kind, tuple(role for role, _ in ROLES.values()))
    ]
    hints = [hint for kind in builders for hint in types_of(kind).values()]
    used = {one for hint in hints for one in (hint, *get_args(hint)) if isinstance(one, type)}
    return {path: kind for path, kind in rest.items() if kind in used}


def keys_of(kind: Any) -> list[Key]:
    """Of a class, those of its base classes included."""
    return list(_rows(parser_of(kind)))


def flags_of(subcommand: str) -> list[Key]:
    """What a subcommand of Lightning takes beside its classes and its trainer."""
    rows = _rows(_subcommands()[subcommand])
    return [key for key in rows if key.name.partition(".")[0] not in (*ROLE_OF_KEYS, "config", "print_config")]


@cache
def _subcommands() -> Any:
    """The parser of each, as the command line makes it."""
    parser: Any = capture_parser(lambda: run_lightning(["fit"]))
    return next(action.choices for action in actions_of(parser) if isinstance(action.choices, dict))


def _rows(parser: ArgumentParser) -> Iterator[Key]:
    for action in actions_of(parser):
        if action.default == HIDDEN or action.dest.endswith(".help"):
            continue
        # A group of keys, not one of them.
        if action.dest == "help":
            continue
        hint = getattr(action, "_typehint", action.type)
        default = "required" if action.required else value_words(action.default)
        yield Key(action.dest, type_words(hint), default, plain(action.help or ""))


def plain(text: str) -> str:
    """A description as Markdown, on one line, with links to the classes that it refers to."""
    text = REFERENCE.sub(_link, ROLE.sub(r"`\1`", " ".join(text.split())))
    return LITERAL.sub(r"`\1`", text).replace("%(default)s", "").replace("|", "&#124;")


def _link(reference: re.Match[str]) -> str:
    path = f"{class_homes().get(reference[1], '')}.{reference[1]}"
    return f"see [`{reference[1]}`][{path}]" if path in public_names() else reference[0]
