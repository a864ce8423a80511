"""Checks of what a checkpoint holds: more than plain values is refused.

``torch.load(weights_only=True)`` keeps a file from running code while it is read. Its content can still make Lightning
run some: Lightning builds classes that hyper-parameters name, and deletes files that a callback remembers.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from inspect import Parameter, signature
from itertools import islice
from pathlib import Path, PurePath
from typing import IO, Any

from torch import Tensor

from lightning_seg.checkpoints.plain_values import problems
from lightning_seg.checkpoints.reading import read_checkpoint, source_of
from lightning_seg.errors import ConfigError
from lightning_seg.files import printable

CHECKPOINT_KEY = "lightning_seg"
"""Key of the values that tasks of this package add to Lightning's."""
HYPER_PARAMETERS = "hyper_parameters"
"""Key of the arguments of the task's constructor."""
OF_LIGHTNING = ("state_dict", "epoch", "pytorch-lightning_version")
FORMER = ("hparams", "module_arguments")
"""Old keys where Lightning also looks for arguments; no checkpoint of this package has them."""
STATES: dict[str, Any] = {"callbacks": Mapping, "loops": Mapping, "optimizer_states": list, "lr_schedulers": list}
"""States from which Lightning restores a training."""
OF_ARGUMENTS = ("hparams_name", "hparams_type")
"""Values that Lightning stores about the arguments beside their values."""
REMEDY = "a checkpoint holds plain values alone, so do not use this file"
LIBRARIES = ("builtins", "pytorch_lightning", "lightning_fabric", "torch", "abc", "typing")
"""Modules whose constructors, at the end of every task's, get no arguments of the user."""


def _weights(content: Mapping[str, Any]) -> list[Tensor]:
    state = content.get("state_dict")
    return [one for one in state.values() if isinstance(one, Tensor)] if isinstance(state, Mapping) else []


def check_checkpoint(path: Path) -> None:
    """Raises ConfigError if a file is no checkpoint of Lightning, or holds more than plain values beside tensors."""
    content = read_checkpoint(path)
    if not set(OF_LIGHTNING) <= content.keys():
        raise ConfigError(
            f"{path}: weights alone are no checkpoint; give the .ckpt of a run (a task takes them as encoder_weights "
            "or weights)"
        )
    check_content(content, path)


def check_content(content: Mapping[str, Any], source: Any, key: str = HYPER_PARAMETERS) -> None:
    """Raises ConfigError naming an entry that is no plain value, or a file outside of the run.

    Args:
        content: of the checkpoint.
        source: for the message.
        key: of the stored arguments.
    """
    for former in FORMER:
        if content.get(former):
            raise ConfigError(f"{source}: {former} is a key of years ago, by which arguments get in; {REMEDY}")
    stored = content.get(key) or {}
    if not isinstance(stored, Mapping):
        raise ConfigError(f"{source}: {key} is a {type(stored).__name__} and no mapping; {REMEDY}")
    found = list(islice(problems(stored, ""), 5))
    if found:
        raise ConfigError(f"{source}: {key} holds {', '.join(found)}; {REMEDY}")
    sides = [side for values in _weights(content) for side in values.shape]
    classes = stored.get("num_classes")
    if sides and isinstance(classes, int) and classes > max(sides):
        raise ConfigError(
            f"{source}: num_classes {classes}, but no layer gives more than {max(sides)} numbers; {REMEDY}"
        )
    _check_states(content, source)
    for place, name in _paths(content.get("callbacks"), "callbacks"):
        if ".." in PurePath(name).parts or "::" in name or "://" in name:
            raise ConfigError(f"{source}: {place} {printable(name)!r} is no file of a run; {REMEDY}")


def _check_states(content: Mapping[str, Any], source: Any) -> None:
    """Raises ConfigError if the states of a training do not have the form in which Lightning saves them."""
    for name, kind in STATES.items():
        held = content.get(name)
        parts = held.values() if isinstance(held, Mapping) else held if isinstance(held, list) else ()
        if held is not None and not (isinstance(held, kind) and all(isinstance(part, Mapping) for part in parts)):
            raise ConfigError(f"{source}: its {name} are no states of a training; {REMEDY}")
    if not isinstance(content.get("state_dict", {}), Mapping):
        raise ConfigError(f"{source}: its state_dict holds no weights by name; {REMEDY}")
    for name in OF_ARGUMENTS:
        if not isinstance(content.get(name), str | None):
            raise ConfigError(f"{source}: its {name} is a {type(content[name]).__name__} and no text; {REMEDY}")
    if not all(map(_is_progress, _progresses(content))):
        raise ConfigError(f"{source}: its loops are no states of a training; {REMEDY}")
    _check_own(content.get(CHECKPOINT_KEY, {}), source)


def _progresses(content: Mapping[str, Any]) -> list[Any]:
    """The progress of each loop."""
    loops = (content.get("loops") or {}).values()
    return [state for loop in loops for name, state in loop.items() if str(name).endswith("progress")]


def _is_progress(state: Any) -> bool:
    counts = state.values() if isinstance(state, Mapping) else [state]
    return all(
        isinstance(count, int) or (isinstance(count, Mapping) and all(map(_is_progress, count.values())))
        for count in counts
    )


def _check_own(own: Any, source: Any) -> None:
    """Raises ConfigError if a task's own values do not have the form in which it saves them."""
    if not isinstance(own, Mapping):
        raise ConfigError(f"{source}: its {CHECKPOINT_KEY} is a {type(own).__name__} and no mapping; {REMEDY}")
    for name in ("seed", "batches_without_step"):
        if own.get(name) is not None and not (isinstance(own[name], int) and own[name] >= 0):
            shown = printable(str(own[name]))[:100]
            raise ConfigError(f"{source}: its {CHECKPOINT_KEY}.{name} is {shown}, no whole number from 0 on; {REMEDY}")
    counted = own.get("counted") or {}
    states = counted.values() if isinstance(counted, Mapping) else [counted]
    for state in states:
        if not (isinstance(state, Mapping) and all(isinstance(value, Tensor) for value in state.values())):
            raise ConfigError(f"{source}: its {CHECKPOINT_KEY}.counted are no counts of metrics; {REMEDY}")


def check_loadable(
    kind: type,
    path: str | Path | IO[bytes],
    args: Sequence[Any],
    given: Mapping[str, Any],
    key: str = HYPER_PARAMETERS,
) -> int:
    """Checks before Lightning builds a class from a checkpoint.

    Args:
        kind: the class.
        path: see ``read_checkpoint``.
        args: further positional arguments of ``load_from_checkpoint``,
        given: and by name.
        key: of the stored arguments.

    Returns:
        The number of elements of the weights.

    Raises:
        ConfigError: naming the entry that is no plain value or no argument of the class.
    """
    file = args[1] if len(args) > 1 else given.get("hparams_file")
    if file is not None:
        raise ConfigError(
            f"hparams_file {file}: a checkpoint holds the arguments itself; leave it out, and give others by name"
        )
    content = read_checkpoint(path)
    source = source_of(path)
    check_content(content, source, key)
    stored = content.get(key) or {}
    check_arguments(kind, stored, source)
    check_complete(kind, {*stored, *given}, source)
    return sum(values.numel() for values in _weights(content))


def check_arguments(kind: type, stored: Mapping[str, Any], source: Any) -> None:
    """Raises ConfigError naming a stored argument that a class does not have.

    Args:
        kind: the class that will receive them.
        stored: arguments by name; ``check_content`` has found them plain.
        source: for the message.
    """
    names, open_ended = argument_names(kind)
    for name in stored:
        if name not in names and (not open_ended or name.startswith("_")):
            raise ConfigError(
                f"{source}: {kind.__name__} has no argument {printable(name)!r}; the checkpoint is of another class or "
                "version"
            )


def check_complete(kind: type, known: Collection[str], source: Any) -> None:
    """Raises ConfigError naming an argument that a class cannot do without: networks, say, are no plain values.

    Args:
        kind: whose constructor is to receive them.
        known: names of those that are stored or given.
        source: for the message.
    """
    for name, one in signature(kind).parameters.items():
        is_open = one.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        if one.default is Parameter.empty and not is_open and name not in known:
            raise ConfigError(
                f"{source}: {kind.__name__} needs {name}, which is no plain value, so the checkpoint does not hold it; "
                f"build it in the constructor of a class of your own, or give it: {kind.__name__}.load_from_checkpoint"
                f"(..., {name}=...), and the task to Predictor"
            )


def argument_names(kind: type) -> tuple[set[str], bool]:
    """The arguments of all constructors of a class, and whether it takes others.

    A task also stores those of its base classes. Where the ``**options`` of the user's own classes go is not known
    here.
    """
    names: set[str] = set()
    open_ended = False
    for base in kind.__mro__:
        root = base.__module__.partition(".")[0]
        if "__init__" not in vars(base) or root in LIBRARIES:
            continue
        for one in signature(vars(base)["__init__"]).parameters.values():
            names.add(one.name)
            open_ended |= one.kind is Parameter.VAR_KEYWORD and root != "lightning_seg"
    return names - {"self"}, open_ended


def _paths(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Files that callbacks remember, which they replace and delete."""
    if isinstance(value, Mapping):
        for key, held in value.items():
            if isinstance(key, str) and place.endswith("best_k_models"):
                yield place, key
            yield from _paths(held, f"{place}.{key}")
    elif isinstance(value, str) and place.rpartition(".")[2].endswith("path"):
        yield place, value
