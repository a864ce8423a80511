"""Errors for null in arguments without null: the parser accepts it, and the class would fail with its own message."""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from lightning_seg.arguments import named_type
from lightning_seg.cli.signatures import parser_of
from lightning_seg.errors import ConfigError

PLAIN = (int, float, str, bool)


def check_nulls(section: str, class_path: str, given: Mapping[str, Any], linked: Sequence[str] = ()) -> None:
    """Raises ConfigError naming an argument of a class that is null and may not be.

    Args:
        section: ``model`` or ``data``, for the message.
        class_path: of the class.
        given: its arguments.
        linked: those that are taken from elsewhere.
    """
    nulls = [name for name, value in given.items() if value is None and name not in linked]
    if not nulls:
        return
    kinds = {action.dest: getattr(action, "_typehint", action.type) for action in parser_of(class_path)._actions}
    for argument in nulls:
        if _knows_no_null(kinds.get(argument)):
            kind = named_type(str(kinds[argument]))
            raise ConfigError(f"{section}.{argument}: null is not accepted; expected {kind}")


def _knows_no_null(kind: Any) -> bool:
    """Whether a type has no null; for other types the user's own classes decide."""
    if get_origin(kind) in (Union, UnionType):
        return all(_knows_no_null(member) for member in get_args(kind))
    return kind in PLAIN or get_origin(kind) in (list, tuple, dict)
