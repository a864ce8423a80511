"""The flags of Lightning's subcommands that belong to no class."""

from collections.abc import Mapping
from typing import Any

from jsonargparse import ArgumentParser

from lightning_seg.arguments.typed import TRUST
from lightning_seg.class_arguments import actions_of
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.watched import OnNaN


def check_flags(given: Mapping[str, Any]) -> None:
    """Raises ConfigError for values that their types would allow."""
    seed = given.get("seed_everything")
    if type(seed) is int and not 0 <= seed < 2**32:
        raise ConfigError(f"seed_everything {seed} must be between 0 and {2**32 - 1}")
    if given.get("run") is not None:
        raise ConfigError("run stands in a config; type --run RUN instead")
    if given.get("weights_only") is False:
        raise ConfigError("weights_only false: such a checkpoint could run code; leave it out, or use a script")


def own_flags() -> list[str]:
    """Their names, without dashes."""
    parser = ArgumentParser(add_help=False)
    add_own_flags(parser)
    return [action.dest for action in actions_of(parser)]


def add_own_flags(parser: ArgumentParser) -> None:
    """The flags that belong to no class."""
    parser.add_argument(
        "--early_stopping",
        type=int | None,
        default=None,
        help="Stop when the task's monitored metric has not improved for this many validations.",
    )
    parser.add_argument(
        "--on_nan",
        type=OnNaN,
        default="stop",
        help="Where losses or weights are no numbers any more, or nothing of a split counts: stop by an error, or "
        "warn, and go on without a best checkpoint.",
    )
    parser.add_argument(
        "--run_folder",
        type=str | None,
        default=None,
        help="Folder of a new run, instead of the next runs/NAME/version_N.",
    )
    parser.add_argument(
        "--run",
        type=str | None,
        default=None,
        help="A run folder, runs/NAME for its newest run, or a checkpoint: its config, and its last checkpoint for "
        "fit, its best one otherwise. What is typed wins.",
    )
    parser.add_argument(
        TRUST,
        type=bool,
        default=False,
        help="Build whatever the config of --run names. Without it, validate, test and predict build classes of "
        "this package, of Lightning and of Albumentations, and those that are typed.",
    )
