"""Types and values as they are written in a config."""

import json
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

WORDS = {type(None): "null", Any: "anything", dict: "mapping", Mapping: "mapping", list: "list", Sequence: "list"}
PLAIN = (str, int, float, bool, type(None))


def type_words(hint: Any) -> str:
    """``int or null``, ``one of 'real', 'synthetic'``, ``list of float``.

    A value that can be several things has each named once, in the order of the type.
    """
    return " or ".join(dict.fromkeys(_parts(hint)))


def _parts(hint: Any) -> list[str]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return [word for one in inner for word in _parts(one)]
    if origin is Literal:
        return [repr(one) if isinstance(one, str) else value_words(one) for one in inner]
    if origin is tuple:
        return [_tuple(inner)]
    if origin in WORDS:
        return [_container(WORDS[origin], inner)]
    return [WORDS.get(hint) or getattr(hint, "__name__", None) or str(hint)]


def _tuple(inner: tuple[Any, ...]) -> str:
    if len(inner) == 2 and inner[1] is Ellipsis:
        return f"list of {type_words(inner[0])}"
    return f"[{', '.join(type_words(one) for one in inner)}]"


def _container(word: str, inner: tuple[Any, ...]) -> str:
    if not inner:
        return word
    words = type_words(inner[-1])
    several = len(dict.fromkeys(_parts(inner[-1]))) > 1
    return f"{word} of ({words})" if several else f"{word} of {words}"


def value_words(value: Any) -> str:
    """A default as YAML has it."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (*PLAIN, list, tuple, dict)):
        return (value or "''") if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
