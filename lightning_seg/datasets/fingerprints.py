"""Values and the user's own classes as plain text, to see whether they are what they were in another process."""

import re
from collections.abc import Iterator, Mapping
from functools import singledispatchmethod
from hashlib import sha256
from inspect import isfunction
from pathlib import PurePath
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch

KNOWN = ("lightning_seg", "torch", "builtins", "typing", "abc", "collections")
"""Packages whose classes change with their version alone."""
PLAIN = (type(None), bool, int, float, complex, str, bytes)


def own_classes(kind: type) -> list[type]:
    """The classes of the user among those that a class derives from, itself included."""
    return [one for one in kind.__mro__ if one.__module__.partition(".")[0] not in KNOWN]


def fingerprint(value: Any) -> str:
    """The same text for what is equal, in every process; another one for what differs.

    Raises:
        TypeError: if there is no telling.
    """
    return str(_Describer().of(value))


def fingerprint_code(kind: type) -> str:
    """Of the functions in a class, and of those of the same module that they call: another one where they change."""
    describer = _Describer()
    return str([(name, describer.of(one)) for name, one in _functions(kind)])


def _functions(kind: type) -> Iterator[tuple[str, FunctionType]]:
    for name, member in sorted(vars(kind).items()):
        # Of properties, and of methods of the class.
        inner = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
        if isfunction(inner):
            yield name, inner


class _Describer:
    def __init__(self) -> None:
        self.seen: dict[int, int] = {}

    def of(self, value: Any) -> Any:
        if isinstance(value, PLAIN):
            return repr(value)
        # Functions call each other, and objects hold each other.
        if id(value) in self.seen:
            return f"again {self.seen[id(value)]}"
        self.seen[id(value)] = len(self.seen)
        return self._of(value)

    @singledispatchmethod
    def _of(self, value: Any) -> Any:
        if not hasattr(value, "__dict__") or hasattr(type(value), "__slots__"):
            raise TypeError(f"a {type(value).__name__} cannot be compared")
        return [_name(type(value)), self.of(vars(value))]

    @_of.register
    def _(self, value: type) -> Any:
        return _name(value)

    @_of.register
    def _(self, value: PurePath) -> Any:
        return repr(value)

    @_of.register
    def _(self, value: re.Pattern) -> Any:  # type: ignore[type-arg]
        return ["pattern", value.pattern, value.flags]

    @_of.register
    def _(self, value: np.generic) -> Any:
        return repr(value)

    @_of.register
    def _(self, value: np.ndarray) -> Any:
        if value.dtype.hasobject:
            return [self.of(one) for one in value.ravel().tolist()]
        return [str(value.dtype), value.shape, sha256(np.ascontiguousarray(value).data).hexdigest()]

    @_of.register
    def _(self, value: torch.Tensor) -> Any:
        return self.of(value.detach().cpu().numpy())

    @_of.register(list)
    @_of.register(tuple)
    def _(self, value: Any) -> Any:
        return [self.of(one) for one in value]

    @_of.register(set)
    @_of.register(frozenset)
    def _(self, value: Any) -> Any:
        return ["set", *sorted(str(_Describer().of(one)) for one in value)]

    @_of.register(Mapping)
    def _(self, value: Mapping[Any, Any]) -> Any:
        return ["mapping", *([self.of(key), self.of(one)] for key, one in value.items())]

    @_of.register
    def _(self, value: FunctionType) -> Any:
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        given = [value.__defaults__, value.__kwdefaults__, cells]
        used = {name: value.__globals__[name] for name in _names(value.__code__) if name in value.__globals__}
        near = {name: one for name, one in used.items() if isinstance(one, PLAIN) or _is_beside(one, value)}
        return [self.of(value.__code__), self.of(given), self.of(dict(sorted(near.items())))]

    @_of.register
    def _(self, value: CodeType) -> Any:
        return [value.co_code.hex(), value.co_names, value.co_varnames, [self.of(one) for one in value.co_consts]]


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _names(code: CodeType) -> set[str]:
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return {*code.co_names, *(name for one in inner for name in _names(one))}


def _is_beside(value: Any, function: FunctionType) -> bool:
    return isfunction(value) and value.__module__ == function.__module__
