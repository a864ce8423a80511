"""The command line of Lightning, with the config and the checkpoint of a run in place of --run."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml
from jsonargparse import get_loader

from lightning_seg.arguments.own_modules import make_importable, texts
from lightning_seg.arguments.reading import read_config
from lightning_seg.arguments.typed import Asked, Typed
from lightning_seg.class_arguments import types_of
from lightning_seg.errors import ConfigError
from lightning_seg.hub.address import is_address
from lightning_seg.runs import Run, find_run
from lightning_seg.trust import check_config, chosen_class, find_class

CHECKPOINT_OF = {"fit": "last", "validate": "best", "test": "best", "predict": "best"}


class RunArguments(NamedTuple):
    """The command line with ``--run`` replaced by the config and checkpoint of that run."""

    for_lightning: list[str]
    run: Run | None
    typed: Typed
    content: Mapping[str, Any]  # of the config of the run, as it was checked

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Self:
        """``fit --run RUN`` continues from the last checkpoint, the other subcommands use the best.

        Of a run that is not trained further, the config is checked first, see ``check_config``; what the user types is
        trusted, and so is everything with ``--trust_config``.

        The files of ``--config`` are read in their order, before the other flags. ``--ckpt_path`` without a config or a
        model stands for the run that the checkpoint belongs to.

        Raises:
            ConfigError: if ``--run`` has no value or there is no such run, a config cannot be read, or that of the run
                would build something unknown.
        """
        asked = Asked.of(argv)
        typed, configs, rest = Typed.of(asked), asked.configs, [*asked.rest]
        subcommand = rest[:1]
        if subcommand == ["fit"] and asked.runs and is_address(asked.runs[-1]):
            raise ConfigError(
                f"run {asked.runs[-1]}: on the hub are weights, and nothing that a training goes on from; give the "
                "folder of the run, or a --config to train anew"
            )
        run = find_run(asked.runs[-1]) if asked.runs else None
        checkpoint = typed.flag("--ckpt_path")
        if run is None and checkpoint and not configs and typed.flag("--model") is None:
            run = find_run(checkpoint) if Path(checkpoint).is_file() else None
        if run is None and typed.trusts_config:
            raise ConfigError("trust_config is about the config of --run; give --run RUN, too, or leave it out")
        content: Mapping[str, Any] = {}
        if run is not None and subcommand and subcommand[0] in CHECKPOINT_OF:
            content = content_of(run, typed, subcommand[0] == "fit")
            # What was checked is what is read.
            configs = [str(yaml.safe_dump(content)), *configs]
            if checkpoint is None:
                rest += ["--ckpt_path", str(run.checkpoint(CHECKPOINT_OF[subcommand[0]]))]
        if asked.images is not None:
            rest.append(f"--images={json.dumps(asked.images)}")
        flags = [word for config in configs for word in ("--config", config)]
        return cls([*subcommand, *flags, *rest[1:]], run, typed, content)


def content_of(run: Run, typed: Typed, own: bool = False, part: str = "") -> dict[str, Any]:
    """The content of a run's config, after checking that it builds only known or typed classes.

    Args:
        run: the run of the config.
        typed: what the user has typed.
        own: whether the run is trained further, so that it is the user's own.
        part: the one section that is needed; all of them if empty.

    Raises:
        ConfigError: if it cannot be read, or would build something else.
    """
    read_config(run.config)
    # As the parser will read it.
    read: dict[str, Any] = get_loader("yaml")(run.config.read_text())
    content = {key: value for key, value in read.items() if not part or str(key).partition(".")[0] == part}
    if typed.trusts_config or own:
        make_importable(sorted(texts(content)))
    if not typed.trusts_config:
        for section, name in typed.classes.items():
            _replace_unknown(content, section, name)
        check_config(run.config, content, typed.names, own)
    return content


def _replace_unknown(content: dict[str, Any], section: str, name: str) -> None:
    """Replace an unknown class by the user's, with those arguments that it has, too.

    The parser would import the other one first.
    """
    held = content.get(section)
    if not isinstance(held, Mapping) or held.get("class_path") == name or find_class(held.get("class_path"), section):
        return
    given, known = held.get("init_args"), types_of(chosen_class(name, section))
    kept = {key: value for key, value in given.items() if key in known} if isinstance(given, Mapping) else {}
    content[section] = {"class_path": name, "init_args": kept}
