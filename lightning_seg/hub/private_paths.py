"""Values without the places of files on the machine that they come from."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

KEPT = ("seed_everything", "ema", "early_stopping", "on_nan")
"""Arguments of ``fit`` beside its sections that say how a network was trained."""
TRAINER = (
    "max_epochs",
    "max_steps",
    "precision",
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "check_val_every_n_epoch",
)
"""Likewise, of the trainer's; others are about the machine, its folders and what is written."""
OF_DATA = ("cache", "cache_dir", "num_workers", "persistent_workers", "start_method", "download")
"""Arguments of datamodules about how pictures are loaded."""
FOLDER = "data"
"""Stands for a folder of the machine."""
UNIMPORTANT = ("trainer.accelerator", "trainer.strategy", "run_folder", "ckpt_path", "weights_only")


def is_private(text: str) -> bool:
    """Whether a text is a path that means nothing elsewhere: an absolute one, or one above the working folder."""
    parts = re.split(r"[\\/]", text)
    return bool(re.match(r"[\\/~]|[A-Za-z]:[\\/]|file:", text)) or ".." in parts


def without_paths(value: Any) -> Any:
    """The value with the file's name in place of each such path, and ``data`` in place of each such folder."""
    if isinstance(value, Mapping):
        return {key: without_paths(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(held) for held in value]
    if not isinstance(value, str) or not is_private(value):
        return value
    name = re.split(r"[\\/]", value.rstrip("\\/"))[-1]
    return name if re.search(r".\.\w+$", name) else FOLDER


def published_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a run for others: how its network was trained, on data whose folder is called ``data``.

    Callbacks, loggers, plugins and folders of the trainer stay at home, and so do all paths, see ``without_paths``.
    """
    trainer = _mapping(config.get("trainer"))
    plain = {name: trainer[name] for name in TRAINER if isinstance(trainer.get(name), int | float | str)}
    kept = {name: config[name] for name in (*KEPT, "model", "data") if name in config}
    published: dict[str, Any] = without_paths({**kept, "trainer": plain})
    given = _mapping(_mapping(published.get("data")).get("init_args"))
    for name in OF_DATA:
        given.pop(name, None)
    if "root" in given:
        given["root"] = FOLDER
    return published


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def left_out(config: Mapping[str, Any]) -> list[str]:
    """The given arguments of a config, by dotted names, that ``published_config`` changes or leaves out."""
    kept = dict(_flat(published_config(config)))
    usual: tuple[Any, ...] = (None, False, True, "auto", [], {}, -1, 0)
    of_data = {f"data.init_args.{name}" for name in OF_DATA if name != "cache_dir"}
    given = ((name, value) for name, value in _flat(config) if value not in usual and name not in UNIMPORTANT)
    return [name for name, value in given if kept.get(name) != value and name not in of_data]


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, held in value.items():
            yield from _flat(held, f"{name}.{key}" if name else str(key))
    else:
        yield name, list(value) if isinstance(value, tuple) else value
