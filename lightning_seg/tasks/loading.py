"""A trained task from one file, which says of which class it is."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import lightning_seg.tasks  # noqa: F401, so that all of this package's are known
from lightning_seg.checkpoints import CHECKPOINT_KEY, read_checkpoint
from lightning_seg.errors import ConfigError, UserError, one_line
from lightning_seg.files import printable
from lightning_seg.tasks.base import Task
from lightning_seg.tasks.health import describe_weights
from lightning_seg.tasks.watched import refused_weights


def load_task(checkpoint: str | Path, trust: Sequence[str] = ()) -> tuple[Task, tuple[int, int] | None]:
    """A trained task in eval mode on the CPU, and the (height, width) it was trained at, from one file.

    Args:
        checkpoint: the file. It runs no code.
        trust: modules that may be imported for a class that the file names.

    Raises:
        ConfigError: if the file is no checkpoint of this library, its class is not known here, or it holds more than
            plain values.
        WeightsError: if its weights are NaN or infinite.
    """
    path = Path(checkpoint)
    name, size = _origin(path)
    kind = _find_task(path, name, trust)
    try:
        task = kind.load_from_checkpoint(path, map_location="cpu").eval()
    except UserError:
        raise
    # Values that no class would accept: errors of all kinds.
    except Exception as error:
        raise ConfigError(
            f"{path}: {kind.__name__} cannot be built from what it holds ({one_line(error)[:300]}); give another "
            "checkpoint"
        ) from error
    if problem := describe_weights(task):
        raise refused_weights(path, problem)
    return task, size


def _origin(path: Path) -> tuple[str, tuple[int, int] | None]:
    """Class and picture size, from the entries of ``Task.on_save_checkpoint``."""
    try:
        origin = read_checkpoint(path)[CHECKPOINT_KEY]
        name, size = origin["task"], origin["image_size"]
        if not isinstance(name, str):
            raise TypeError("the name of its class is no text")
        return name, None if size is None else (int(size[0]), int(size[1]))
    except (ConfigError, TypeError, KeyError, ValueError, IndexError) as error:
        reason = f" ({str(error).removeprefix(f'{path}: ')})" if isinstance(error, ConfigError) else ""
        raise ConfigError(
            f"{path}: not a checkpoint that lightning_seg has trained{reason}; give a run or its .ckpt"
        ) from error


def _find_task(path: Path, name: str, trust: Sequence[str]) -> type[Task]:
    """A class that is already imported, or that is in a module which the user trusts."""
    known = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in _kinds_of(Task)}  # type: ignore[type-abstract]
    if name in known:
        return known[name]
    shown, module = printable(name), name.rpartition(".")[0]
    if module.partition(".")[0] == "__main__":
        raise ConfigError(
            f"{path}: its class {shown} stood in the script that trained it, and cannot be found from here; move it to "
            "a module of its own and import that, or give Predictor the task: load_from_checkpoint of your class"
        )
    if not any(name == one or name.startswith(f"{one}.") for one in trust):
        raise ConfigError(
            f"{path}: its class {shown} cannot be imported unless its module is trusted; if that code is yours, import "
            f"it before, or give trust=[{module.partition('.')[0]!r}]"
        )
    try:
        kind: Any = resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{path}: its class {shown} cannot be imported ({one_line(error)}); make its module importable"
        ) from error
    # The name is what a file says, and may be that of anything.
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise ConfigError(f"{path}: {shown} is no task; give another checkpoint")
    return kind


def _kinds_of(kind: type[Task]) -> Iterator[type[Task]]:
    for derived in kind.__subclasses__():
        yield derived
        yield from _kinds_of(derived)
