"""Plain text from values and the user's own classes, to compare them between processes."""

import re
from collections.abc import Mapping
from functools import singledispatchmethod
from hashlib import sha256
from inspect import isclass, isfunction, unwrap
from pathlib import PurePath
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import torch

KNOWN = ("lightning_seg", "torch", "numpy", "builtins", "typing", "abc", "collections", "enum")
"""Packages whose classes change only with their version."""
PLAIN = (type(None), bool, int, float, complex, str, bytes)
DATA = (*PLAIN, list, tuple, set, frozenset, dict, np.ndarray, np.generic, torch.Tensor, re.Pattern, PurePath)


def own_classes(kind: type) -> list[type]:
    """The user's classes among the bases of a class, itself included."""
    return [one for one in kind.__mro__ if one.__module__.partition(".")[0] not in KNOWN]


def fingerprint(value: Any, with_code: bool = True) -> str:
    """The same text for equal values, in every process; another text for different ones.

    For a class it is its code: its functions and constants, and what these use of the same module. What they use of
    other modules is not followed.

    Args:
        value: data, an object that holds data, or a class.
        with_code: include the code of the classes of objects; otherwise only their names and attributes.

    Raises:
        TypeError: if a value cannot be compared.
        ValueError: likewise.
    """
    return str(_Describer(with_code).of(value))


class _Describer:
    def __init__(self, with_code: bool) -> None:
        self.with_code = with_code
        self.code: dict[int, Any] = {}
        """Described functions and classes, kept so that their ids are not used again."""
        self.around: list[int] = []
        """The values that contain the current one."""

    def of(self, value: Any) -> Any:
        if isinstance(value, PLAIN):
            return repr(value)
        if id(value) in self.code:
            return f"again {list(self.code).index(id(value))}"
        if isinstance(value, type | FunctionType):
            self.code[id(value)] = value
        if id(value) in self.around:
            return f"around {self.around.index(id(value))}"
        self.around.append(id(value))
        described = self._of(value)
        self.around.pop()
        return described

    @singledispatchmethod
    def _of(self, value: Any) -> Any:
        held = _held(value)
        if held is None:
            raise TypeError(f"a {type(value).__name__} cannot be compared")
        kinds = own_classes(type(value)) if self.with_code else []
        return [_name(type(value)), *map(self.of, kinds), self.of(held)]

    @_of.register
    def _(self, value: type) -> Any:
        if not own_classes(value):
            return _name(value)
        members = {name: _function(member) for name, member in vars(value).items() if not _is_given(name)}
        kept = {name: one for name, one in sorted(members.items()) if isinstance(one, (*DATA, FunctionType))}
        return [_name(value), self.of(kept)]

    @_of.register
    def _(self, value: FunctionType) -> Any:
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        space = value.__globals__
        near = {name: space[name] for name in sorted(_names(value.__code__)) if _is_near(space.get(name), value)}
        return [*map(self.of, (value.__code__, value.__defaults__, value.__kwdefaults__, cells, near))]

    @_of.register
    def _(self, value: CodeType) -> Any:
        return [value.co_code.hex(), value.co_names, value.co_varnames, [*map(self.of, value.co_consts)]]

    @_of.register(list)
    @_of.register(tuple)
    def _(self, value: Any) -> Any:
        return [self.of(one) for one in value]

    @_of.register(set)
    @_of.register(frozenset)
    def _(self, value: Any) -> Any:
        return ["set", *sorted(fingerprint(one, self.with_code) for one in value)]

    @_of.register
    def _(self, value: Mapping) -> Any:  # type: ignore[type-arg]
        return ["mapping", *([self.of(key), self.of(one)] for key, one in value.items())]

    @_of.register
    def _(self, value: np.ndarray) -> Any:
        if value.dtype.hasobject:
            return self.of(value.tolist())
        return [str(value.dtype), value.shape, sha256(np.ascontiguousarray(value).data).hexdigest()]

    @_of.register
    def _(self, value: torch.Tensor) -> Any:
        return self.of(value.detach().cpu().numpy())

    @_of.register(np.generic)
    @_of.register(PurePath)
    def _(self, value: Any) -> Any:
        return repr(value)

    @_of.register
    def _(self, value: re.Pattern) -> Any:  # type: ignore[type-arg]
        return ["pattern", value.pattern, value.flags]


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_given(name: str) -> bool:
    """Whether Python gives the attribute to every class."""
    return name.startswith("__") and name not in ("__init__", "__call__", "__getitem__")


def _function(member: Any) -> Any:
    """The function of a property, a method, or a cached or decorated function; other values unchanged."""
    inner = getattr(member, "fget", None) or getattr(member, "__func__", None) or member
    return unwrap(inner) if callable(inner) and not isclass(inner) else inner


def _held(value: Any) -> dict[str, Any] | None:
    """The attributes of an object; None if it has none."""
    slots = [name for kind in type(value).__mro__ for name in _slots(kind) if hasattr(value, name)]
    if not slots and not hasattr(value, "__dict__"):
        return None
    return {**getattr(value, "__dict__", {}), **{name: getattr(value, name) for name in slots}}


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _names(code: CodeType) -> set[str]:
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return {*code.co_names, *(name for one in inner for name in _names(one))}


def _is_near(value: Any, function: FunctionType) -> bool:
    """Whether a name in a function refers to its own module."""
    if isinstance(value, DATA):
        return value is not None
    inner = _function(value)
    return (isfunction(inner) or isclass(inner)) and inner.__module__ == function.__module__
