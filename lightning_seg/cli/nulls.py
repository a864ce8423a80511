"""Null where an argument has no null: the parser lets it through, and the class would fail on it in its own words."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, get_args

from jsonargparse import ArgumentParser

from lightning_seg.arguments import named_type
from lightning_seg.errors import ConfigError


def check_nulls(section: str, class_path: str, given: Mapping[str, Any]) -> None:
    """Raises ConfigError naming an argument of a class that is null and may not be.

    Args:
        section: ``model`` or ``data``, for the message.
        class_path: of the class.
        given: its arguments.
    """
    nulls = [name for name, value in given.items() if value is None]
    module, _, name = class_path.rpartition(".")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(getattr(import_module(module), name))
    kinds = {action.dest: getattr(action, "_typehint", action.type) for action in parser._actions}
    for argument in nulls:
        kind = kinds.get(argument)
        if kind is not None and kind is not Any and type(None) not in get_args(kind):
            raise ConfigError(f"{section}.{argument}: null is not accepted; expected {named_type(str(kind))}")
