"""The data flags of ``fit``, for commands that look at data without a network."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lightning_seg.arguments import OWN_FLAGS, Asked, Typed, content_of, grouped, import_public_classes
from lightning_seg.errors import ConfigError
from lightning_seg.runs import find_run

LEFT_ASIDE = ("model", "trainer", "seed_everything", "ckpt_path", "weights_only", *OWN_FLAGS)
"""Arguments of ``fit`` that do not change the data."""


def keep_data(flags: Sequence[str], says_what_is_left: bool = True) -> list[str]:
    """The flags of ``fit`` for a command with an argument ``data``; one printed line names those that are ignored.

    ``--config`` may stand anywhere and becomes the data section of the file; ``--run`` becomes that of the run.

    Raises:
        ConfigError: if there is no such run, a config cannot be read, or arguments of the data come without its class.
    """
    import_public_classes()
    asked = Asked.of(flags)
    typed = Typed.of(asked)
    configs, contents = asked.configs, typed.contents
    if asked.runs:
        run = find_run(asked.runs[-1])
        contents = [content_of(run, typed, part="data"), *contents]
        configs = [str(run.config), *configs]
    kept, aside = _split(asked.rest)
    if aside and says_what_is_left:
        print(f"left aside, since they do not change the data: {' '.join(dict.fromkeys(aside))}")
    sections = [_data_section(content) for content in contents]
    names_it = any(word.partition("=")[0] == "--data" for word in kept)
    if any(sections) and not names_it and not any(map(_names_class, sections)):
        raise ConfigError(f"{configs[-1]}: data has no class_path; put it there, or give --data CLASS")
    # As YAML again: the parser lays later ones over earlier ones.
    return [word for section in sections for word in ("--config", str(yaml.safe_dump(section)))] + kept


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags to keep, and the names of the others."""
    kept, aside = list[str](), list[str]()
    for flag, values in grouped(words):
        name = flag.partition("=")[0]
        if name.lstrip("-").partition(".")[0].rstrip("+") in LEFT_ASIDE:
            aside.append(name)
        else:
            kept += [flag, *values] if flag else values
    return kept, aside


def _data_section(content: Mapping[str, Any]) -> dict[str, Any]:
    # A key may be dotted, too: data.init_args.root.
    return {key: value for key, value in content.items() if str(key).partition(".")[0] == "data" and value is not None}


def _names_class(section: Mapping[str, Any]) -> bool:
    data = section.get("data")
    return isinstance(data, str) or "class_path" in (data or {}) or "data.class_path" in section
