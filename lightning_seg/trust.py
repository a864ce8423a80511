"""The classes that a run's config may build: a config is code, and a run folder may come from a stranger.

``class_path`` builds anything, with any arguments. So from a run's config, classes of this package, of Lightning and of
Albumentations are built at their own places, and classes that the user has typed. Everything else is refused by name.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from inspect import isroutine
from os import PathLike
from pathlib import Path
from pkgutil import resolve_name
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard, Union, get_args, get_origin

import torch

from lightning_seg.augmentation.transforms import CHILDREN
from lightning_seg.checkpoints import builds
from lightning_seg.class_arguments import types_of
from lightning_seg.errors import ConfigError
from lightning_seg.files import printable

Names = frozenset[str]


class Place(NamedTuple):
    """A place for classes in a config."""

    what: str
    base: str  # class that it has to derive from
    modules: tuple[str, ...]  # that hold the known ones


AUGMENT = "data.augment"
ENVIRONMENTS = ("pytorch_lightning.plugins", "lightning_fabric.plugins")
PLACES = {
    "model": Place("a task", "pytorch_lightning.LightningModule", ("lightning_seg.tasks",)),
    "data": Place("a datamodule", "pytorch_lightning.LightningDataModule", ("lightning_seg.datamodules",)),
    "trainer.callbacks": Place(
        "a callback", "pytorch_lightning.Callback", ("pytorch_lightning.callbacks", "lightning_seg.callbacks")
    ),
    "trainer.logger": Place(
        "a logger", "pytorch_lightning.loggers.Logger", ("pytorch_lightning.loggers", "lightning_seg.callbacks")
    ),
    "trainer.strategy": Place("a strategy", "pytorch_lightning.strategies.Strategy", ("pytorch_lightning.strategies",)),
    "trainer.accelerator": Place(
        "an accelerator", "pytorch_lightning.accelerators.Accelerator", ("pytorch_lightning.accelerators",)
    ),
    "trainer.profiler": Place("a profiler", "pytorch_lightning.profilers.Profiler", ("pytorch_lightning.profilers",)),
    "trainer.plugins": Place("a plugin", "builtins.object", ENVIRONMENTS),
    AUGMENT: Place(
        "a transform",
        "albumentations.core.serialization.Serializable",
        ("albumentations", "lightning_seg.augmentation"),
    ),
}
PLUGINS = (
    "lightning_fabric.plugins.Precision",
    "lightning_fabric.plugins.ClusterEnvironment",
    "lightning_fabric.plugins.CheckpointIO",
    "pytorch_lightning.plugins.LayerSync",
)
"""Bases of plugins, which have no common base."""
HOLDING_PLUGINS = ("trainer.strategy", "trainer.plugins", "trainer.accelerator")
"""Places whose arguments may be plugins, too."""
PLAIN = (str, int, float, bytes, type(None), PathLike, Enum, timedelta, torch.device, list, tuple, dict, set)
"""Types of arguments for which the parser imports nothing."""
REMEDY = "a config is code: give --trust_config if you know what it does"


def check_config(path: Path, content: Mapping[str, Any], typed: Names, own: bool = False) -> None:
    """Raises ConfigError naming a class in a run's config that is neither known nor typed.

    Outside of this package, Lightning and Albumentations, only modules that the user has typed are imported.

    Args:
        path: of the config, for the message.
        content: of the config.
        typed: every text that the user has typed, or written in a config that was typed.
        own: whether classes of any module are accepted at their places, since the user continues a run of his own. They
            are imported.
    """
    for problem in _Check(typed, own).problems(content):
        raise ConfigError(f"{path}: {problem}; {REMEDY}")


def _imported(name: str) -> Any:
    try:
        return resolve_name(name)
    # The parser says so, whatever a module does.
    except Exception:
        return None


def names_foreign(content: Mapping[str, Any]) -> bool:
    """Whether ``check_config`` would refuse this content."""
    return next(_Check(frozenset(), own=False).problems(content), None) is not None


class _Check:
    """The problems of a config; the first one is enough."""

    def __init__(self, typed: Names, own: bool) -> None:
        self.typed = typed
        self.own = own

    def problems(self, content: Mapping[str, Any], within: str = "") -> Iterator[str]:
        for key, value in content.items():
            where = f"{within}{key}"
            if not _is_name(key):
                yield f"{_shown(where)} is no {'argument' if within else 'section'}"
            elif where == "config":
                yield "config reads another config"
            elif where in PLACES:
                yield from self._at_place(value, where, where)
            elif where == "trainer" and isinstance(value, Mapping):
                yield from self.problems(value, "trainer.")
            elif where == "trainer" and value is not None:
                yield f"trainer is {_shown(value)}, not its arguments"
            else:
                yield from self._plain(value, where)

    def _at_place(self, value: Any, place: str, where: str) -> Iterator[str]:
        """A class, or several, by path, by name or with arguments; also by a name of Lightning's registries."""
        if isinstance(value, list):
            for index, one in enumerate(value):
                yield from self._at_place(one, place, f"{where}.{index}")
        elif isinstance(value, str):
            yield from self._word(value, place, where)
        elif isinstance(value, Mapping):
            yield from self._class(value, place, where)
        elif not (value is None or isinstance(value, bool)):
            yield f"{where} is {_shown(value)}, not {PLACES[place].what}"

    def _word(self, value: str, place: str, where: str) -> Iterator[str]:
        if value not in self.typed and _reads_or_imports(value) and find_class(value, place) is None:
            yield f"{where} is {_shown(value)}, not {PLACES[place].what} that is known here"

    def _class(self, value: Mapping[Any, Any], place: str, where: str) -> Iterator[str]:
        if "class_path" not in value:
            yield from self._arguments(value.get("init_args", value), None, place, where)
            return
        for key in value:
            if key not in ("class_path", "init_args", "dict_kwargs"):
                yield f"{where} holds {_shown(key)} beside class_path"
        path = value.get("class_path")
        if not isinstance(path, str):
            yield f"{where} is {_shown(path)}, no name of a class"
            return
        kind = find_class(path, place)
        if kind is None and path not in self.typed and not (self.own and _may_be_own(path, place)):
            yield f"{where} is {_shown(path)}, not {PLACES[place].what} that is known here"
            return
        # What the user's own class takes is his own business where he goes on with his run.
        if kind is not None or not self.own:
            for part in ("init_args", "dict_kwargs"):
                yield from self._arguments(value.get(part) or {}, kind, place, where)

    def _arguments(self, given: Any, kind: type | None, place: str, where: str) -> Iterator[str]:
        if not isinstance(given, Mapping):
            yield f"{where} has {_shown(given)} for arguments"
            return
        # Transforms are built by this package, which imports nothing for their arguments.
        # Without a class it is another one's, which was checked.
        types = {} if kind is None or place == AUGMENT else types_of(kind)
        for name, held in given.items():
            if _is_name(name):
                yield from self._argument(held, place, f"{where}.{name}", types.get(name))
            else:
                yield f"{where} has {_shown(name)}, which is no name of an argument"

    def _argument(self, value: Any, place: str, where: str, kind: Any) -> Iterator[str]:
        if where == AUGMENT or (place == AUGMENT and where.rpartition(".")[2] in CHILDREN):
            yield from self._at_place(value, AUGMENT, where)
        elif place in HOLDING_PLUGINS and isinstance(value, Mapping) and "class_path" in value:
            yield from self._at_place(value, "trainer.plugins", where)
        else:
            yield from self._plain(value, where, kind)

    def _plain(self, value: Any, where: str, kind: Any = None) -> Iterator[str]:
        """Values that build nothing."""
        if isinstance(value, Mapping):
            path = value.get("class_path")
            known = isinstance(path, str) and path in self.typed
            for key, held in value.items():
                if builds(key) and not known:
                    yield f"{where} is {_shown(path if path is not None else key)}, built where plain values belong"
                yield from self._plain(held, f"{where}.{key}", kind)
        elif isinstance(value, list):
            for index, held in enumerate(value):
                yield from self._plain(held, f"{where}.{index}", kind)
        elif isinstance(value, str) and _takes_objects(kind) and self._is_unknown(value):
            yield f"{where} is {_shown(value)}, which would be imported"

    def _is_unknown(self, value: str) -> bool:
        """Whether a text may name an object of an unknown module, or a file."""
        return value not in self.typed and _reads_or_imports(value) and find_function(value) is None


def find_class(path: Any, place: str) -> type | None:
    """The known class of this name for this place; None if there is none. Nothing else is imported."""
    modules = PLACES[place].modules
    found = _find(path, modules)
    return found if _belongs(found, place) and _lies_in(found, modules) else None


def chosen_class(name: str, place: str) -> type | None:
    """A class that the user has named, whose module is imported if it is his own; None if there is none."""
    found = find_class(name, place) or (_imported(name) if "." in name else None)
    return found if isinstance(found, type) else None


def _belongs(found: Any, place: str) -> TypeGuard[type]:
    """Whether a class is of the kind for this place."""
    bases = PLUGINS if place == "trainer.plugins" else (PLACES[place].base,)
    return isinstance(found, type) and any(issubclass(found, resolve_name(base)) for base in bases)


def find_function(path: str) -> Any:
    """A function or class of Lightning or torch as the value of an argument; None if it is not theirs."""
    modules = ("pytorch_lightning", "lightning_fabric", "torch.optim")
    found = _find(path, modules)
    return found if (isroutine(found) or isinstance(found, type)) and _lies_in(found, modules) else None


def _find(path: Any, modules: Sequence[str]) -> Any:
    """The object at this path in one of these modules; None if there is none."""
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")):
        return None
    within = tuple(f"{module}." for module in modules)
    # This package offers its own classes by their short names, too.
    offered = path == f"lightning_seg.{path.rpartition('.')[2]}"
    candidates = [f"{module}{path}" for module in within] if "." not in path else [path]
    for candidate in candidates:
        if candidate.startswith(within) or offered:
            try:
                return resolve_name(candidate)
            except (ImportError, AttributeError, ValueError):
                continue
    return None


def _lies_in(found: Any, modules: Sequence[str]) -> bool:
    """Whether it is defined in these modules: modules also offer what they import."""
    return f"{found.__module__}.".startswith(tuple(f"{module}." for module in modules))


def _may_be_own(path: str, place: str) -> bool:
    """Whether a class of this name may be the user's own and belongs here; its module is imported.

    If it cannot be imported, the parser says so.
    """
    root = path.partition(".")[0]
    known = {module.partition(".")[0] for kind in PLACES.values() for module in kind.modules}
    if "." not in path or root in known | sys.stdlib_module_names:
        return False
    found = _imported(path)
    return found is None or _belongs(found, place)


def _reads_or_imports(text: str) -> bool:
    """Whether the parser would import a class for a text, or read a file."""
    if not text:
        return False
    # No file has a longer name, and the system complains.
    return not text.replace("-", "_").isidentifier() or (len(text) < 256 and Path(text).is_file())


def _takes_objects(kind: Any) -> bool:
    """Whether an argument of this type may be an imported object."""
    if get_origin(kind) is Annotated:
        return _takes_objects(get_args(kind)[0])
    if get_origin(kind) is Literal or kind is None or kind is Any:
        return False
    if get_origin(kind) in (Callable, type):
        return True
    if get_origin(kind) in (Union, UnionType) or get_args(kind):
        return any(_takes_objects(member) for member in get_args(kind) if member is not Ellipsis)
    return not (isinstance(kind, type) and issubclass(kind, PLAIN))


def _is_name(key: Any) -> bool:
    """Whether a key is a name; keys may also be dotted, or end in a plus: the parser makes sections of them, and
    appends.
    """
    return isinstance(key, str) and key.isidentifier()


def _shown(value: Any) -> str:
    text = printable(str(value))
    return text if len(text) <= 100 else f"{text[:99]}…"
