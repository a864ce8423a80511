"""What is public.

Names that the package or a room exports and that the Python of a page imports; base classes of these, classes that
their docstrings name, the errors that a user can catch, and whatever has an example.
"""

import ast
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning_seg

PACKAGE = "lightning_seg"
ROOT = Path(__file__).parents[1]
REFERENCE = re.compile(r"\bsee\s+``(\w+)``")
NAMED = re.compile(r"``([A-Z]\w+)``")
MARK = ">>> "
CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@cache
def public_names() -> dict[str, Any]:
    """Path by which each is imported, and the object; an object that has several paths has the shortest one."""
    found: dict[str, Any] = {}
    seen = set[int]()
    for path, thing in (*_exported(), *_shown(), *_bases(), *_errors(), *_told(), *_with_examples()):
        # Small numbers and strings are one object for all that have the value.
        if isinstance(thing, type) or callable(thing):
            if id(thing) in seen:
                continue
            seen.add(id(thing))
        found.setdefault(path, thing)
    return found


def public_classes() -> dict[str, type]:
    return {path: thing for path, thing in public_names().items() if inspect.isclass(thing)}


def room_of(path: str, thing: Any) -> str:
    """The room in which it is defined, ``tasks`` for instance."""
    home = getattr(thing, "__module__", None) or path
    return (home if home.startswith(f"{PACKAGE}.") else path).split(".")[1]


def about_room(room: str) -> str:
    """What its docstring says."""
    return inspect.getdoc(import_module(f"{PACKAGE}.{room}")) or ""


def _exported() -> Iterator[tuple[str, Any]]:
    yield from _names_of(PACKAGE)
    for room in pkgutil.iter_modules(lightning_seg.__path__):
        if room.ispkg:
            yield from _names_of(f"{PACKAGE}.{room.name}")


def _names_of(module: str) -> Iterator[tuple[str, Any]]:
    home = import_module(module)
    for name in getattr(home, "__all__", ()):
        if not name.startswith("_"):
            yield f"{module}.{name}", getattr(home, name)


def _shown() -> Iterator[tuple[str, Any]]:
    """Names that the Python of a page imports from this package; what a page lets its reader write is not there."""
    for page in (*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))):
        for module, name in _imports(PYTHON.findall(page.read_text("utf-8"))):
            if find_spec(module) is not None and hasattr(import_module(module), name):
                yield f"{module}.{name}", getattr(import_module(module), name)


def _imports(blocks: Iterable[str]) -> Iterator[tuple[str, str]]:
    nodes = (node for block in blocks for node in ast.walk(ast.parse(block)))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            yield from ((str(node.module), alias.name) for alias in node.names)


def _bases() -> Iterator[tuple[str, type]]:
    for _, thing in (*_exported(), *_shown()):
        for base in inspect.getmro(thing) if inspect.isclass(thing) else ():
            if base.__module__.startswith(f"{PACKAGE}."):
                yield f"{base.__module__}.{base.__qualname__}", base


def _errors() -> Iterator[tuple[str, type]]:
    home = import_module(f"{PACKAGE}.errors")
    for name, kind in inspect.getmembers(home, inspect.isclass):
        if kind.__module__ == home.__name__:
            yield f"{home.__name__}.{name}", kind


def _told() -> Iterator[tuple[str, type]]:
    """Classes that the docstring of a public class names."""
    for _, thing in (*_exported(), *_shown(), *_bases()):
        for name in NAMED.findall(inspect.getdoc(thing) or "") if inspect.isclass(thing) else ():
            if name in class_homes():
                yield f"{class_homes()[name]}.{name}", getattr(import_module(class_homes()[name]), name)


def _with_examples() -> Iterator[tuple[str, Any]]:
    for name, text in _modules():
        if MARK in text:
            for key, thing in vars(import_module(name)).items():
                if getattr(thing, "__module__", None) == name and MARK in (thing.__doc__ or ""):
                    yield f"{name}.{key}", thing


@cache
def class_homes() -> dict[str, str]:
    """The module of every class of the package, by its name."""
    return {kind: name for name, text in _modules() for kind in CLASS.findall(text)}


def _modules() -> Iterator[tuple[str, str]]:
    """The name of every module with its text."""
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path.read_text("utf-8")
