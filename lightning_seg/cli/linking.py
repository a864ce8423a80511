"""Links from the datamodule to the task: the number and names of the classes, and the size of the pictures."""

from collections.abc import Iterator, Mapping
from typing import Any

from jsonargparse import Namespace

from lightning_seg.arguments import ABSENT, Typed
from lightning_seg.class_arguments import class_of
from lightning_seg.errors import ConfigError

LINKS = ("num_classes", "class_names", "ignore_index", "image_size")
"""Arguments that a task gets from the datamodule, if it has them."""


def kept_classes(model: Namespace, stored: Mapping[str, Any] | None, predicts: bool) -> dict[str, Any]:
    """Arguments of a task that keeps its classes, whatever those of the data are.

    Args:
        model: section of the config.
        stored: arguments of the checkpoint's task, if there is one.
        predicts: whether nothing is measured.
    """
    given = model.get("init_args", {}) if stored is None else stored
    keeps = getattr(class_of(model), "keeps_its_classes", None)
    if keeps is None or not keeps(given, stored is not None, predicts):
        return {}
    return {name: given[name] for name in ("num_classes", "class_names") if name in given}


def differing(typed: Typed, values: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Each linked argument with what a config or a flag says, and what it is instead."""
    for name in LINKS:
        given, value = typed.value("model", name), values.get(name, ABSENT)
        if ABSENT not in (given, value) and _comparable(given, name) != _comparable(value, name):
            yield name, given, value


def check_linked(typed: Typed, data: Any, kept: Mapping[str, Any]) -> None:
    """Raises ConfigError if the datamodule tells the task something else than a config or a flag says."""
    told = {name: getattr(data, name) for name in LINKS if hasattr(data, name) and name not in kept}
    for name, given, value in differing(typed, told):
        instead = f"--data.{name}" if name == "image_size" else "another --data"
        raise ConfigError(f"model.{name} {given} is not {value}, which the data says; leave it out, or give {instead}")


def _comparable(value: Any, name: str) -> Any:
    """However it is written."""
    if name == "image_size" and isinstance(value, int):
        return [value, value]
    return list(value) if isinstance(value, list | tuple) else value
