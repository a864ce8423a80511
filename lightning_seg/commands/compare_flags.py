"""The command line of ``compare``: its own flags, configs, and every flag of ``fit``."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from lightning_seg.arguments import WordParser, grouped
from lightning_seg.errors import ConfigError

NUMBERS = re.compile(r"\[?\s*-?\d+(\s*,\s*-?\d+)*\s*\]?")
"""``3``, ``0,5`` or ``[0, 5]``."""


def read_flags(words: Sequence[str]) -> dict[str, Any]:
    """The arguments of ``compare``: words that no flag takes are configs, flags that it does not know are those of fit.

    Raises:
        ConfigError: if seeds are no numbers.
    """
    WordParser.typed = words
    typed, rest = make_parser().parse_known_args(words)
    seeds = list(takewhile(NUMBERS.fullmatch, typed.seeds))
    if not seeds:
        raise ConfigError(f"seeds {typed.seeds[0]}: give how many, for instance 3, or which, like 0 5 7")
    configs, fit = _split(rest)
    configs += typed.seeds[len(seeds) :]
    if typed.unequal_budgets not in ("true", "false"):
        # It needs no value, so the word behind it was one by itself.
        configs.append(typed.unequal_budgets)
    return {
        "config": [*configs, *typed.config],
        "variant": typed.variant,
        "seeds": _as_seeds(seeds),
        "output": typed.output,
        "unequal_budgets": typed.unequal_budgets != "false",
        "print_config": typed.print_config,
        "fit": fit,
    }


def make_parser() -> WordParser:
    """Of what ``fit`` does not take; the rest is handed back."""
    parser = WordParser(
        prog="lightning-seg compare",
        usage="%(prog)s CONFIG --variant NAME:CONFIG --variant NAME:CONFIG [--seeds N] [flags of fit]",
        description="Train and test variants of a config with the same seeds, and say what their difference is worth. "
        "Called again with the same --output it goes on where it was; variants and seeds can be added.",
        epilog="Every other flag is one of fit, for all variants: --data.root, --trainer.max_epochs, --model.lr.",
    )
    parser.add_argument(
        *("--config", "-c"),
        action="append",
        default=[],
        metavar="CONFIG",
        help="A file or a name, as fit takes it, for all variants; it can also stand without the flag.",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME:CONFIG",
        help="A name and the configs that are laid over the common ones, with commas between them; NAME alone for the "
        "common ones as they are. The others are compared with the first one.",
    )
    help_of_seeds = "How many, or which: 3, or 0 5 7. (default: 3)"
    parser.add_argument("--seeds", nargs="+", default=["3"], metavar="N", help=help_of_seeds)
    help_of_output = "Folder for the runs and the result. (default: comparison)"
    parser.add_argument("--output", default="comparison", metavar="FOLDER", help=help_of_output)
    parser.add_argument(
        "--unequal_budgets",
        nargs="?",
        const="true",
        default="false",
        metavar="true",
        help="Accept variants that train for longer or with other batches than others.",
    )
    help_of_printing = "Print the arguments of every variant, and train nothing."
    parser.add_argument("--print_config", action="store_true", help=help_of_printing)
    return parser


def _as_seeds(words: Sequence[str]) -> int | list[int]:
    """One number by itself says how many."""
    numbers = [int(number) for word in words for number in re.findall(r"-?\d+", word)]
    return numbers[0] if len(numbers) == 1 and "[" not in words[0] else numbers


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Configs, and flags of ``fit`` with their values: each takes one."""
    configs, fit = list[str](), list[str]()
    for flag, values in grouped(words):
        taken = 1 if flag and "=" not in flag else 0
        fit += [*filter(None, [flag]), *values[:taken]]
        configs += values[taken:]
    return configs, fit
