"""Constructors that hand the arguments of their base class on."""

from typing import Any


def hide_options(kind: type) -> None:
    """``**options: Unpack[...]`` of a constructor as plain ``**options`` at run time; called by ``__init_subclass__``.

    Type checkers and editors read the names and types in the source. jsonargparse would take them from the TypedDict,
    which has no defaults and no documentation; without it, it follows the call of the base class.
    """
    annotations = vars(kind)["__init__"].__annotations__ if "__init__" in vars(kind) else {}
    if "options" in annotations:
        annotations["options"] = Any
