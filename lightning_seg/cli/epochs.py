"""How long ``fit`` trains where nobody says so."""

from collections.abc import Sequence

from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.callbacks import Timer

LIMITS = ("max_time", "min_epochs", "min_steps")


def epochs_are_said(parser: ArgumentParser, words: Sequence[str]) -> bool:
    """Whether flags or a config of ``fit`` hold ``max_epochs``, be it null."""
    given = parser.parse_args(list(words), defaults=False)
    return "max_epochs" in (given.get("fit.trainer") or {})


def ends_otherwise(trainer: Namespace) -> bool:
    """Whether the arguments of a trainer, callbacks built, say in another way how long it trains."""
    has_timer = any(isinstance(one, Timer) for one in trainer["callbacks"])
    return has_timer or trainer["max_steps"] != -1 or any(trainer[name] is not None for name in LIMITS)
