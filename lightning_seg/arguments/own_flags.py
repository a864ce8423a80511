"""The flags of Lightning's subcommands that belong to no class."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

from jsonargparse import ArgumentParser

from lightning_seg.callbacks.stochastic_weight_average import check_start
from lightning_seg.callbacks.weight_average import check_decay
from lightning_seg.errors import ConfigError
from lightning_seg.plots.formats import parse_formats
from lightning_seg.tasks.watched import OnNaN


def _own(
    early_stopping: int | None = None,
    ema: float | None = None,
    swa: float | None = None,
    on_nan: OnNaN = "stop",
    plots: str = "png",
    run_folder: str | None = None,
    run: str | None = None,
    trust_config: bool = False,
) -> None:
    """Is read for its arguments.

    Args:
        early_stopping: Stop when the task's monitored metric has not improved for this many validations.
        ema: Validate, keep, test and predict with an exponential moving average of the weights; 0.999 averages about
            the last 1,000 steps, and in a shorter training the last ninth of the steps so far.
        swa: Validate, keep, test and predict with the mean of the weights after each epoch from this share of them on;
            0.75 averages over the last quarter. Goes with --model.schedule swa.
        on_nan: Where losses or weights are no numbers any more, or nothing of a split counts: stop by an error, or
            warn, and go on without a best checkpoint.
        plots: Formats of the plots that are written: png, svg or pdf, or several, for instance png,svg.
        run_folder: Folder of a new run, instead of the next runs/NAME/version_N.
        run: A run folder, runs/NAME for its newest run, a checkpoint, or hf://OWNER/NAME: its config, and its last
            checkpoint for fit, its best one otherwise. What is typed wins.
        trust_config: Build whatever the config of --run names. Without it, validate, test and predict build classes of
            this package, of Lightning and of Albumentations, and those that are typed.
    """


OWN_FLAGS = tuple(signature(_own).parameters)
"""Without dashes."""


def add_own_flags(parser: ArgumentParser) -> None:
    parser.add_function_arguments(_own, as_group=False)


def check_flags(given: Mapping[str, Any]) -> None:
    """Raises ConfigError for values that their types would allow."""
    seed = given.get("seed_everything")
    if type(seed) is int and not 0 <= seed < 2**32:
        raise ConfigError(f"seed_everything {seed} must be between 0 and {2**32 - 1}")
    if given.get("ema") is not None:
        check_decay(given["ema"])
    if given.get("swa") is not None:
        check_start(given["swa"])
    if given.get("plots") is not None:
        parse_formats(given["plots"])
    if given.get("run") is not None:
        raise ConfigError("run stands in a config; type --run RUN instead")
    if given.get("weights_only") is False:
        raise ConfigError("weights_only false: such a checkpoint could run code; leave it out, or use a script")
