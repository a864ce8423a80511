"""Modules of the user's own, in the working folder."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def make_importable(names: Sequence[str]) -> None:
    """Let classes that the user names be found in the working folder.

    The folder is searched last, and only for a module of that name that exists nowhere else: a file of the folder never
    replaces a library. Until then it is left out, since libraries look for optional others.
    """
    for name in names:
        module, dot, _ = name.partition(".")
        folder = Path.cwd()
        if not (dot and module.isidentifier() and str(folder) not in sys.path):
            continue
        lies_here = (folder / f"{module}.py").is_file() or (folder / module / "__init__.py").is_file()
        if lies_here and module not in sys.modules and find_spec(module) is None:
            sys.path.append(str(folder))


def texts(value: Any) -> Iterator[str]:
    """Every text in the content of a YAML file."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, held in value.items():
            yield from texts(key)
            yield from texts(held)
    elif isinstance(value, list | tuple):
        for held in value:
            yield from texts(held)
