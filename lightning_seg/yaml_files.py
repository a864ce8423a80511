"""Reading YAML of strangers: a text that would expand too far or is too deep is refused before it is built.

In lists, words and numbers in notations of YAML 1.1 keep their text: lists hold names, and 02146 would become 1126, and
yes a truth value. Where a number or a truth value is wanted, the text is read as one there.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from jsonargparse import get_loader, set_loader

from lightning_seg.errors import ConfigError

MAX_SIZE = 2**20
"""Characters of a config, with aliases (``*name``) expanded; ours have about 1,000."""
MAX_DEPTH = 50
PLAIN = 200
NUMBER = re.compile(r"[-+]?[0-9][0-9_:.]{300}")
"""Numbers, for instance to base 60, that the parser needs more than quadratic time for."""
AS_TRUTH = "yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF"
AS_NUMBER = r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(:[0-5]?[0-9])*)"
PLAIN_NUMBER = "-?(0|[1-9][0-9]*)"
NAME = re.compile(f"(?!({PLAIN_NUMBER})$)({AS_TRUTH}|{AS_NUMBER})")
"""What YAML 1.1 takes for something else than its text, though people write it as a name."""
MAY_HOLD_NAMES = re.compile(rf"\b({AS_TRUTH})\b|[0-9][0-9_:xb]|[+][0-9]")
_plain_loader = get_loader("yaml")


class HarmfulError(yaml.YAMLError):
    """The expanded content would be too large or too deep."""


def check_yaml(text: str) -> None:
    """Counts the content of a text without building it; aliases count as often as they are used.

    Raises:
        HarmfulError: if it is larger or deeper than a config can be.
        YAMLError: if it is no YAML.
    """
    if len(text) > MAX_SIZE:
        raise HarmfulError(f"{len(text)} characters are more than the {MAX_SIZE} that a config may have")
    count = _Count()
    for event in yaml.parse(text, yaml.SafeLoader):
        count.add(event)


class _Count:
    """Characters by open collection, and by anchor; None while an anchor is open, which would contain itself."""

    def __init__(self) -> None:
        self.totals = [0]
        self.open: list[str | None] = []
        self.anchors: dict[str, int | None] = {}

    def add(self, event: Any) -> None:
        if isinstance(event, yaml.CollectionStartEvent):
            self._begin(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._put(self.totals.pop(), self.open.pop())
        elif isinstance(event, yaml.ScalarEvent):
            if NUMBER.match(event.value):
                raise HarmfulError(f"a number of {len(event.value)} characters")
            self._put(1 + len(event.value), event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            size = self.anchors.get(str(event.anchor), 0)
            if size is None:
                raise HarmfulError(f"*{event.anchor} holds itself")
            self._put(size, None)

    def _begin(self, anchor: str | None) -> None:
        if len(self.totals) > MAX_DEPTH:
            raise HarmfulError(f"it is nested deeper than {MAX_DEPTH} levels")
        self.totals.append(1)
        self.open.append(anchor)
        if anchor:
            self.anchors[anchor] = None

    def _put(self, size: int, anchor: str | None) -> None:
        if anchor:
            self.anchors[anchor] = size
        self.totals[-1] += size
        if self.totals[-1] > MAX_SIZE:
            raise HarmfulError(f"its aliases (*name) stand for more than {MAX_SIZE} characters")


def load_yaml(text: str) -> Any:
    """As ``yaml.safe_load``, but names in lists stay as they are, see ``quote_names``.

    Raises:
        YAMLError: if it is no YAML, or ``check_yaml`` refuses it.
    """
    check_yaml(text)
    return _build(yaml.safe_load, text)


def quote_names(text: str) -> str:
    """The same YAML with quotes around items of lists such as 02146, 0x1F, 12:30, yes and off, which keep their text.

    Raises:
        YAMLError: if it is no YAML.
    """
    if not MAY_HOLD_NAMES.search(text):
        return text
    places, in_list = [], [False]
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            in_list.append(isinstance(event, yaml.SequenceStartEvent))
        elif isinstance(event, yaml.CollectionEndEvent):
            in_list.pop()
        elif in_list[-1] and isinstance(event, yaml.ScalarEvent) and _is_taken_for_more(event):
            # Its start is that of its anchor.
            end = cast(yaml.Mark, event.end_mark).index
            places.append((end - len(event.value), end))
    for start, end in reversed(places):
        text = f"{text[:start]}'{text[start:end]}'{text[end:]}"
    return text


def _build(load: Any, text: str) -> Any:
    try:
        return load(quote_names(text))
    except yaml.YAMLError:
        raise
    # An impossible date, a number of too many digits, a tag that does not fit: each has an error of its own.
    except Exception as error:
        raise yaml.YAMLError(f"{type(error).__name__}: {error}") from error


def _is_taken_for_more(event: yaml.ScalarEvent) -> bool:
    """Whether an item without quotes and without a tag is a name that YAML 1.1 does not leave as it is."""
    return event.implicit[0] and NAME.fullmatch(event.value) is not None


def read_yaml(path: Path) -> Any:
    """The content of a file, see ``load_yaml``.

    Raises:
        ConfigError: if it is too large, no text or no YAML, or would expand too far.
        OSError: if it cannot be read.
    """
    return _read(path, load_yaml)


def read_texts(path: Path) -> Any:
    """As ``read_yaml``, but every word and number is the text that stands there: no, 1.50 and null."""
    return _read(path, _load_texts)


def _load_texts(text: str) -> Any:
    check_yaml(text)
    # Builds lists, mappings and texts, and nothing else.
    return yaml.load(text, yaml.BaseLoader)


def _read(path: Path, load: Callable[[str], Any]) -> Any:
    if path.exists() and not path.is_file():
        # A pipe would be waited for, and could be read once only.
        raise ConfigError(f"{path}: a folder, a pipe or a device, and no config; give the path of a YAML file")
    if path.stat().st_size > 4 * MAX_SIZE:
        raise ConfigError(f"{path}: {path.stat().st_size / 2**20:.0f} MiB are no config; give another file")
    try:
        return load(path.read_text("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save it as UTF-8 text") from None
    except yaml.YAMLError as error:
        where = " ".join(str(error).split()).replace('in "<unicode string>", ', "in ")
        raise ConfigError(f"{path}: no valid YAML ({where[:300]})") from error


def dotted(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a config with its name as it is typed: ``model.lr``."""
    for key, value in content.items():
        name = f"{before}{key}".replace(".init_args", "")
        yield name, value
        if isinstance(value, Mapping):
            yield from dotted(value, f"{name}.")


def guard_parsers() -> None:
    """Let jsonargparse, which reads configs and files that they name, refuse the same."""
    set_loader("yaml", _guarded, (yaml.YAMLError,))


def _guarded(text: str) -> Any:
    # Most are short words of the command line.
    if len(text) > PLAIN or "*" in text:
        check_yaml(text)
    return _build(_plain_loader, text)
