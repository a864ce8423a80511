"""Albumentations transforms from ``class_path`` and ``init_args``, as configs hold them.

jsonargparse could build them too, but would lose the constructor's message: ``augment`` may also be a bool or a string,
and if all types fail, jsonargparse keeps only the first error.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, TypeAlias

import albumentations as A
from pydantic import ValidationError

from lightning_seg.errors import ConfigError

Transform: TypeAlias = A.BasicTransform | A.BaseCompose
KINDS = (A.BasicTransform, A.BaseCompose)
CHILDREN = ("transforms", "first", "second")
"""Arguments of containers that hold transforms."""
EXAMPLE = "{class_path: HorizontalFlip, init_args: {p: 0.5}}"


def build_transform(spec: Any) -> Transform:
    """One transform.

    Args:
        spec: a mapping with ``class_path`` and ``init_args``, the name of a class, or a transform. The same holds for
            transforms in a container. Albumentations' own classes need no module.

    Raises:
        ConfigError: if a class or an argument does not exist, or an argument has an impossible value.
    """
    if isinstance(spec, KINDS):
        return spec
    path, given = _parts(spec)
    kind = _find_class(path)
    arguments = {name: _argument(kind, name, value) for name, value in given.items()}
    check_names(kind, arguments)
    try:
        return kind(**arguments)
    except Exception as error:
        raise ConfigError(f"augment: {kind.__name__}: {_reason(error)}") from error


def single_transforms(transforms: Sequence[Transform]) -> Iterator[A.BasicTransform]:
    """The single transforms, also those in ``OneOf``, ``SomeOf`` and other containers."""
    for transform in transforms:
        if isinstance(transform, A.BaseCompose):
            yield from single_transforms(transform.transforms)
        else:
            yield transform


def _parts(spec: Any) -> tuple[str, Mapping[str, Any]]:
    """Class and arguments."""
    if isinstance(spec, str):
        return spec, {}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("class_path"), str):
        raise ConfigError(f"augment: {spec!r} is no transform; write {EXAMPLE}")
    for name in spec:
        if name not in ("class_path", "init_args"):
            raise ConfigError(f"augment: {name!r} cannot stand beside class_path; arguments go under init_args")
    given = spec.get("init_args") or {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"augment: init_args {given!r} of {spec['class_path']} must name its values, as in {EXAMPLE}")
    return spec["class_path"], given


def _argument(kind: type, name: str, value: Any) -> Any:
    """Builds the transforms in a container's argument; other arguments stay as they are."""
    if not issubclass(kind, A.BaseCompose) or name not in CHILDREN or value is None:
        return value
    return [build_transform(item) for item in value] if isinstance(value, list) else build_transform(value)


def _find_class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        kind = getattr(import_module(module or "albumentations"), name, None)
    # The other two for relative paths.
    except (ImportError, TypeError, ValueError):
        kind = None
    if isinstance(kind, type) and issubclass(kind, KINDS):
        return kind
    known = [one for one in dir(A) if isinstance(getattr(A, one), type) and issubclass(getattr(A, one), KINDS)]
    raise ConfigError(f"augment: there is no transform {path!r}{_nearest(name, known)}")


def check_names(kind: type, arguments: Iterable[str]) -> None:
    """Raise ConfigError for an argument that a class does not have."""
    parameters = signature(kind).parameters
    if any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in arguments:
        if name not in parameters:
            raise ConfigError(f"augment: {kind.__name__} has no argument {name!r}{_nearest(name, list(parameters))}")


def _nearest(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _reason(error: Exception) -> str:
    """The reason for the first bad argument; pydantic reports one problem for each possible type."""
    if not isinstance(error.__cause__, ValidationError):
        return " ".join(f"{type(error).__name__}: {error}".split())
    problems = error.__cause__.errors()
    name, given = problems[0]["loc"][:1], problems[0]["input"]
    same = [problem["msg"].removeprefix("Value error, ") for problem in problems if problem["loc"][:1] == name]
    what = " ".join([*map(str, name), *([] if problems[0]["type"] == "missing" else [repr(given)])])
    if problems[0]["type"] == "missing":
        return f"{what} is missing, give init_args: {{{what}: VALUE}}"
    return f"{what}: {' or '.join(dict.fromkeys(same))}"
