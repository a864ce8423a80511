"""Pages of the reference, written when the site is built."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import is_dataclass
from unittest.mock import patch

from lightning_seg.__main__ import main
from lightning_seg.commands import COMMANDS, LIGHTNING
from lightning_seg.commands.synthesize import RECIPES
from lightning_seg.configs import describe_shipped, read_shipped
from website.keys import Key, Section, sections
from website.public import about_room, public_names, room_of

TITLES = {
    "flags": ("Flags", "What the subcommands take beside the arguments of classes, as flags or at the top level."),
    "trainer": ("Trainer", "Keys of the section `trainer`, on the line `--trainer.NAME`."),
    "tasks": (
        "Tasks",
        "`model: {class_path: CLASS, init_args: {KEY: VALUE}}`, on the line `--model CLASS --model.KEY VALUE`.",
    ),
    "datamodules": (
        "Datamodules",
        "`data: {class_path: CLASS, init_args: {KEY: VALUE}}`, on the line `--data CLASS --data.KEY VALUE`.",
    ),
    "callbacks": ("Callbacks", "An entry of `trainer.callbacks`: `{class_path: CLASS, init_args: {KEY: VALUE}}`."),
    "loggers": ("Loggers", "An entry of `trainer.logger`: `{class_path: CLASS, init_args: {KEY: VALUE}}`."),
    "values": ("Values", "Classes whose arguments stand as a mapping in the value of another key."),
}
"""Of the pages of config keys, with what stands above their tables."""
TABLE = "| key | type | default | |\n|---|---|---|---|"


def reference_pages() -> Iterator[tuple[str, str]]:
    """Where each is on the site, and its Markdown."""
    for page, found in sections().items():
        yield f"reference/config/{page}.md", config_page(page, found)
    yield "reference/python/index.md", rooms_page()
    for room, names in by_room().items():
        yield f"reference/python/{room}.md", python_page(room, names)
    yield "reference/commands.md", commands_page()
    yield "reference/configs.md", configs_page()


def config_page(page: str, found: list[Section]) -> str:
    title, about = TITLES[page]
    return "\n\n".join([f"# {title}", about, *(_section(one) for one in found)]) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {section.title}"]
    if section.path is not None:
        module = section.path.rpartition(".")[0]
        parts.append(f"[Its class][{section.path}], by `from {module} import {section.title}`.")
    rows = [_row(section.title, key) for key in section.keys]
    return "\n\n".join([*parts, "\n".join([TABLE, *rows])])


def _row(owner: str, key: Key) -> str:
    default = f"`{key.default}`" if key.default != "required" else key.default
    anchor = f'<a id="{owner}.{key.name}"></a>'
    return f"| {anchor}`{key.name}` | {key.type} | {default} | {key.about} |"


def by_room() -> dict[str, list[str]]:
    """Paths of public names; first those that are the shortest."""
    rooms: dict[str, list[str]] = {}
    for path, thing in public_names().items():
        rooms.setdefault(room_of(path, thing), []).append(path)
    return dict(sorted(rooms.items()))


def rooms_page() -> str:
    """What each room is, and its names."""
    rows = [f"| [{room}]({room}.md) | {about_room(room).partition(chr(10))[0]} |" for room in by_room()]
    about = (
        "Public names by room of the package. Examples (`>>>`) know `np`, `torch`, `Path`, `Image` of Pillow and the "
        "names of the module that they belong to."
    )
    return "\n\n".join(["# Rooms", about, "\n".join(["| room | what is in it |", "|---|---|", *rows])]) + "\n"


def python_page(room: str, names: list[str]) -> str:
    return "\n\n".join([f"# {room}", about_room(room), *map(_entry, names)]) + "\n"


def _entry(name: str) -> str:
    """What mkdocstrings shows; fields of tuples and dataclasses are told by name and type, without docstrings."""
    thing = public_names()[name]
    has_fields = isinstance(thing, type) and (issubclass(thing, tuple) or is_dataclass(thing))
    return f"::: {name}\n    options:\n      show_if_no_docstring: true" if has_fields else f"::: {name}"


def commands_page() -> str:
    """What ``--help`` of every command prints."""
    words = [[name] for name in (*LIGHTNING, *COMMANDS)] + [["synthesize", name] for name in RECIPES]
    parts = [f"## {' '.join(one)}\n\n```text\n{_help(*one)}\n```" for one in sorted(words)]
    about = "What `lightning-seg COMMAND --help` prints. With a config or a class it lists their arguments, too."
    return "\n\n".join(["# Commands", about, f"```text\n{_help()}\n```", *parts]) + "\n"


def _help(*words: str) -> str:
    printed = io.StringIO()
    with patch.dict(os.environ, {"COLUMNS": "80"}), redirect_stdout(printed), suppress(SystemExit):
        main([*words, "--help"])
    # jsonargparse joins --print_config and [=flags] by a backspace.
    return re.sub(".\x08", "", printed.getvalue()).strip()


def configs_page() -> str:
    """Every config that comes with the package."""
    about = "Configs with a name: `lightning-seg fit --config NAME`; `lightning-seg configs NAME` prints one."
    parts = [f"## {name}\n\n```yaml\n{read_shipped(name).strip()}\n```" for name, _ in describe_shipped()]
    return "\n\n".join(["# Configs", about, *parts]) + "\n"
