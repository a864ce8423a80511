"""The arguments of classes as jsonargparse finds them, those of base classes included.

The one place that reads what argparse and jsonargparse keep about arguments that were added.
"""

import sys
from argparse import SUPPRESS, Action
from argparse import ArgumentParser as AnyParser
from typing import Any

from jsonargparse import ArgumentParser


def actions_of(parser: AnyParser) -> list[Action]:
    """Every argument that was added to a parser."""
    return list(parser._actions)


def parser_of(kind: Any) -> ArgumentParser:
    """A parser with an argument for each of a class; without any for what is no class."""
    parser = ArgumentParser(exit_on_error=False)
    if isinstance(kind, type):
        parser.add_class_arguments(kind, fail_untyped=False)
    return parser


def types_of(kind: Any) -> dict[str, Any]:
    """The arguments of a class by name, with their types."""
    added = (one for one in actions_of(parser_of(kind)) if one.dest not in ("help", SUPPRESS))
    return {one.dest: getattr(one, "_typehint", one.type) for one in added}


def class_of(section: Any) -> Any:
    """What a section of a config builds; None for the class or function of a module that nobody has imported."""
    return _imported(str(section.get("class_path")))


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if not module or module in sys.modules:
        return getattr(sys.modules.get(module), name, None)
    # Of a class in a class.
    return getattr(_imported(module), name, None)
