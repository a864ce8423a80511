"""Plain values: numbers, texts, lists and mappings, from which nothing is built."""

from collections.abc import Iterator, Mapping
from typing import Any

from lightning_seg.files import printable

BUILDING = ("class_path", "init_args", "dict_kwargs", "_target_", "_instantiator", "_class_path")
"""Keys by which Lightning, jsonargparse or hydra know that a mapping is an object."""


def problems(value: Any, place: str) -> Iterator[str]:
    """The parts of a value that are no number, text, list or mapping of such, each with its place."""
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from _key_problems(key, place)
            yield from problems(held, _join(place, key))
    elif isinstance(value, list | tuple):
        for index, held in enumerate(value):
            yield from problems(held, _join(place, index))
    elif not (value is None or type(value) in (bool, int, float, str)):
        yield f"a {type(value).__name__} in {place}"


def _key_problems(key: Any, place: str) -> Iterator[str]:
    if type(key) not in (str, int):
        yield f"a key of type {type(key).__name__}{f' in {place}' if place else ''}"
    elif builds(key):
        yield f"{_join(place, key)} (an object to build)"


def builds(key: Any) -> bool:
    """Whether a key turns its mapping into an object; dotted keys are keys of mappings inside."""
    return isinstance(key, str) and not set(BUILDING).isdisjoint(key.split("."))


def _join(place: str, key: Any) -> str:
    name = printable(str(key))
    return f"{place}.{name}" if place else name
