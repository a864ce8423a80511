"""Values without the places of files on the machine that they come from."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

KEPT = ("seed_everything", "ema", "swa", "early_stopping", "on_nan")
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
UNIMPORTANT = ("trainer.accelerator", "trainer.strategy", "run_folder", "ckpt_path", "weights_only", "plots")


URL = re.compile(
    r"(?:https?://|hf:/{1,2}|s3://|gs://|ftp://)[\w.-]+(?::\d+)?(?:/[\w.~%@+/-]*)?(?![^\s,;'\"])", re.IGNORECASE
)
"""An address that means the same everywhere, and holds neither credentials nor a query, which may be some."""
PLACES = re.compile(
    r"""
      ^\s*[\\/~]  # from a root, or a home
    | (?<![\w.*+?)\]}/-])/[\w.~*{]  # likewise behind a sign: masks=/home; parts of patterns such as )/ are none
    | [\s:=,;'"(]\\(?:\\|\w{2})
    | (?<!\w)~[\w\\/]
    | (?<![a-z])[a-z]:[\\/]  # a drive
    | [\\/](?:home|users|root|mnt|media|tmp|var)[\\/]  # wherever it stands
    | file:
    | \$[{(]?[a-z_] | %[a-z_]+%  # variables of the shell
    | (?:^|[\\/\s=:,;])\.\.(?:$|[\\/\s,;])  # above the working folder
    | ://  # of addresses, those that are not as above
    | \bhf_[a-z0-9]{20}  # a token
    """,
    re.IGNORECASE | re.VERBOSE,
)
FILE = re.compile(
    r"\w[\w .-]*\.(?:bmp|ckpt|csv|gif|jpe?g|json|npy|npz|onnx|png|pth?|safetensors|tiff?|txt|webp|xml|ya?ml|zip)",
    re.IGNORECASE,
)
"""A name that is surely no folder's: those of people have dots, too."""


def is_private(text: str) -> bool:
    """Whether a text holds a place that means nothing elsewhere, or credentials.

    Places are absolute paths, those above the working folder, and those of variables, wherever in the text they stand.
    """
    return PLACES.search(URL.sub("", text)) is not None


def without_paths(value: Any) -> Any:
    """The value with the file's name in place of each such text, and ``data`` where that is none of a file."""
    if isinstance(value, Mapping):
        return {without_paths(key): without_paths(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(held) for held in value]
    if not isinstance(value, str) or not is_private(value):
        return value
    name = re.split(r"[\\/]", value.strip())[-1]
    return name if FILE.fullmatch(name) else FOLDER


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
    kept = {name: value for name, _, value in _flat(published_config(config))}
    usual: tuple[Any, ...] = (None, False, True, "auto", [], {}, -1, 0)
    of_data = {f"data.init_args.{name}" for name in OF_DATA if name != "cache_dir"}
    given = (one for one in _flat(config) if one[2] not in usual and one[0] not in UNIMPORTANT)
    changed = (shown for name, shown, value in given if kept.get(name) != value and name not in of_data)
    return list(dict.fromkeys(changed))


def _flat(value: Any, name: str = "", shown: str = "") -> Iterator[tuple[str, str, Any]]:
    """Dotted names, the same without places of the machine, and values."""
    if isinstance(value, Mapping) and value:
        for key, held in value.items():
            public = without_paths(str(key))
            yield from _flat(held, f"{name}.{key}" if name else str(key), f"{shown}.{public}" if shown else public)
    else:
        yield name, shown, list(value) if isinstance(value, tuple) else value
