"""Words that the user has typed, and the content of the configs that are named there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self

import yaml

from lightning_seg.arguments.messages import WordParser
from lightning_seg.arguments.own_modules import make_importable, texts
from lightning_seg.arguments.reading import read_config
from lightning_seg.configs import find_config
from lightning_seg.errors import ConfigError
from lightning_seg.yaml_files import dotted

TRUST = "--trust_config"
ABSENT = object()
"""Stands for what nobody has given."""


class Asked(NamedTuple):
    """The flags about configs and runs, and the other words in their order."""

    configs: list[str]
    runs: list[str]
    trusts: str | None
    images: list[str] | None
    rest: list[str]

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """In one pass; ``--config`` may stand anywhere, ``--images`` more than once.

        Raises:
            ConfigError: if the value of one of them is missing.
        """
        parser = WordParser(add_help=False)
        parser.add_argument("--config", "-c", action="append", default=[])
        parser.add_argument("--run", action="append", default=[])
        parser.add_argument(TRUST, nargs="?", const="true")
        parser.add_argument("--images", action="extend", nargs="+")
        found, rest = parser.parse_known_args([part for word in words for part in _parts(word)])
        configs = [str(find_config(name)) for name in found.config]
        return cls(configs, found.run, found.trust_config, found.images, rest)


class Typed(NamedTuple):
    """What the user himself says, by flags and in configs that are named on the line."""

    flags: list[tuple[str, str]]  # each with the word behind it, or behind its =
    contents: list[Mapping[str, Any]]  # of the configs, in their order
    trusts_config: bool  # that of the run

    @classmethod
    def of(cls, asked: Asked) -> Self:
        """From the words of a command line; modules in the working folder that they name can be imported then.

        Raises:
            ConfigError: if a config cannot be read, or ``--trust_config`` is neither true nor false.
        """
        contents: list[Mapping[str, Any]] = [read_config(config) for config in asked.configs]
        if asked.trusts not in ("true", "false", None):
            raise ConfigError(f"trust_config: {asked.trusts!r} is not accepted; expected true or false")
        typed = cls(list(_flags(asked.rest)), contents, asked.trusts == "true")
        make_importable(sorted({*typed._class_words(), *texts(contents)}))
        return typed

    @property
    def names(self) -> frozenset[str]:
        """Every text that was typed, or stands in a config that was typed."""
        words = (word for pair in self.flags for word in pair)
        return frozenset({*words, *self._class_words(), *texts(self.contents)})

    def flag(self, name: str) -> str | None:
        """The last value of a flag."""
        return next((value for flag, value in reversed(self.flags) if flag == name), None)

    def is_typed(self, section: str, name: str) -> bool:
        """Whether a flag gives an argument of a section's class."""
        return any(flag.replace(".init_args.", ".") == f"--{section}.{name}" for flag, _ in self.flags)

    def value(self, section: str, name: str) -> Any:
        """The last value of an argument of a section's class, ``ABSENT`` if nobody has given it; flags win."""
        for flag, value in reversed(self.flags):
            if flag.replace(".init_args.", ".") == f"--{section}.{name}":
                return yaml.safe_load(value)
            within = yaml.safe_load(value) if flag == f"--{section}" else None
            if isinstance(within, Mapping) and name in within.get("init_args", {}):
                return within["init_args"][name]
        held: Any = ABSENT
        for content in self.contents:
            held = dict(dotted(content)).get(f"{section}.{name}", held)
        return held

    def texts_at(self, name: str) -> frozenset[str]:
        """Every plain value, as text, that the user gives an argument, within it, or adds to it with ``+``."""
        given = [*self.contents, *({flag.removeprefix("--"): value} for flag, value in self.flags)]
        given += [{flag.removeprefix("--"): _plain(value)} for flag, value in self.flags]
        values = (pair for content in given for pair in _values(content))
        return frozenset(text for place, text in values if f"{place}.".startswith(f"{name}."))

    @property
    def classes(self) -> dict[str, str]:
        """Of the sections, by their names; later ones win, and what is typed wins over configs."""
        classes: dict[str, str] = {}
        for section in ("model", "data"):
            for content in self.contents:
                held = content.get(section)
                given = held.get("class_path") if isinstance(held, Mapping) else held
                classes |= {section: given} if isinstance(given, str) else {}
            typed = self.flag(f"--{section}") or self.flag(f"--{section}.class_path")
            classes |= {section: typed} if typed else {}
        return classes

    def _class_words(self) -> Iterator[str]:
        """Every text in the values of flags that take classes."""
        for name, value in self.flags:
            flag = name.rstrip("+")
            if flag in ("--model", "--data") or flag.startswith(("--model.", "--data.", "--trainer.")):
                # What cannot be read the parser refuses.
                with suppress(yaml.YAMLError):
                    yield from texts(yaml.safe_load(value))


def _plain(value: str) -> Any:
    # What cannot be read the parser refuses.
    with suppress(yaml.YAMLError):
        return yaml.safe_load(value)
    return None


def _values(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every plain value within one, as text, with the dotted name of its argument; those of a list have the list's."""
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from _values(held, f"{name}.{key}".lstrip(".").replace("+", ""))
    elif isinstance(value, list):
        for held in value:
            yield from _values(held, name)
    else:
        yield name, str(value)


def _parts(word: str) -> list[str]:
    """``--images=a b`` are two pictures; argparse takes one behind an ``=``."""
    name, equals, value = word.partition("=")
    return [name, value] if name == "--images" and equals and not value.startswith("-") else [word]


def grouped(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each flag with the words behind it, up to the next one; an empty flag comes first."""
    flag, values = "", list[str]()
    for word in words:
        # A single dash begins a number.
        if word.startswith("--"):
            yield flag, values
            flag, values = word, []
        else:
            values.append(word)
    yield flag, values


def _flags(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for flag, values in grouped(words):
        name, equals, value = flag.partition("=")
        if name:
            yield name, value if equals else next(iter(values), "")
