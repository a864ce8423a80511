"""How long ``fit`` trains where nobody says so."""

from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.callbacks import Timer

DEFAULT_EPOCHS = 20
"""Lightning's own default are 1,000."""
LIMITS = ("max_time", "min_epochs", "min_steps")
HELP = (
    f"Stop training once this number of epochs is reached, -1 never. Default: {DEFAULT_EPOCHS}; without limit where "
    "max_steps, max_time or a Timer among the callbacks says when to stop."
)


def describe_epochs(parser: ArgumentParser) -> None:
    """The help of ``--trainer.max_epochs``, which is Lightning's own otherwise."""
    # argparse has no public way to an argument that was added.
    for action in parser._actions:
        if action.dest == "trainer.max_epochs":
            action.help = HELP


def epochs_are_said(parser: ArgumentParser, words: Sequence[str], subcommand: str) -> bool:
    """Whether flags or a config hold ``max_epochs``, be it null."""
    given = parser.parse_args(list(words), defaults=False)
    return "max_epochs" in (given.get(f"{subcommand}.trainer") or {})


def ends_otherwise(trainer: Namespace) -> bool:
    """Whether the arguments of a trainer, callbacks built, say in another way how long it trains."""
    callbacks = trainer["callbacks"] or []
    has_timer = any(isinstance(one, Timer) for one in (callbacks if isinstance(callbacks, list) else [callbacks]))
    return has_timer or trainer["max_steps"] != -1 or any(trainer[name] is not None for name in LIMITS)
