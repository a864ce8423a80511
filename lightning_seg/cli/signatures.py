"""The arguments of a class that a config names, with their types and defaults."""

import sys
from pkgutil import resolve_name
from typing import Any

from jsonargparse import ArgumentParser

from lightning_seg.trust import find_class


def parser_of(class_path: str) -> ArgumentParser:
    """A parser with an action for each argument, those of base classes included; without any for the path of a
    function.

    Nothing is imported: a class that nobody has imported is not built.
    """
    parser, kind = ArgumentParser(exit_on_error=False), _imported(class_path)
    if isinstance(kind, type):
        parser.add_class_arguments(kind)
    return parser


def names_of(kind: type) -> list[str]:
    """The arguments of a class, those of base classes included."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, fail_untyped=False)
    return [action.dest for action in parser._actions if action.dest not in ("help", "==SUPPRESS==")]


def chosen_class(name: str, section: str) -> type | None:
    """A class that the user has named, whose module is imported if it is his own; None if there is none."""
    found: Any = find_class(name, section)
    if found is None and "." in name:
        try:
            found = resolve_name(name)
        # Whatever a module does when it is imported: the parser says so.
        except Exception:
            return None
    return found if isinstance(found, type) else None


def class_of(section: Any) -> Any:
    """What a section of the config builds, as far as it is imported; None for a function of a module that is not."""
    return _imported(str(section.get("class_path")))


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if not module or module in sys.modules:
        return getattr(sys.modules.get(module), name, None)
    # Of a class in a class.
    return getattr(_imported(module), name, None)
