"""``lightning-seg configs``: what ``--config`` takes by name."""

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import NoReturn

from lightning_seg.configs import describe_shipped, read_shipped
from lightning_seg.errors import ConfigError

__all__ = ["configs", "run_flags"]


def configs(name: str | None = None) -> None:
    """List the configs that come with the package, or print one.

    Args:
        name: which one to print.
    """
    if name is not None:
        print(read_shipped(name), end="")
        return
    described = dict(describe_shipped())
    width = max(map(len, described))
    for one, sentence in described.items():
        print(f"{one:<{width}}  {sentence}")


def run_flags(flags: Sequence[str]) -> None:
    """``configs`` or ``configs NAME``; no other library is needed for it, so it answers at once."""
    parser = _Parser(
        prog="lightning-seg configs",
        description="List the configs that come with the package and the sentence that each opens with, or print one: "
        "lightning-seg configs pets > mine.yaml. --config takes their names, and files.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="Print this one.")
    configs(parser.parse_args(flags).name)


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; lightning-seg configs --help tells what it takes")
