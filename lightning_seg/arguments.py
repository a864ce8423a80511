"""What the user typed: turned into what Lightning's parser understands, with errors of one line."""

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn, Self

from lightning_seg.errors import ConfigError
from lightning_seg.runs import Run, find_run

CHECKPOINT_OF = {"fit": "last", "validate": "best", "test": "best", "predict": "best"}


class RunArguments(NamedTuple):
    """The command line with ``--run`` replaced by the config and checkpoint of that run."""

    for_lightning: list[str]
    run: Run | None

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Self:
        """``fit --run RUN`` continues from the last checkpoint, the other subcommands use the best.

        ``--config`` may stand anywhere: the files are read in their order, before the other flags.

        Raises:
            ConfigError: if ``--run`` has no value or there is no such run.
        """
        runs, rest = _take(argv, ("--run",))
        configs, rest = _take(rest, ("--config", "-c"))
        run = find_run(runs[-1]) if runs else None
        subcommand = rest[:1]
        if run is not None and subcommand and subcommand[0] in CHECKPOINT_OF:
            configs = [str(run.config), *configs]
            if not any(word.partition("=")[0] == "--ckpt_path" for word in rest):
                rest += ["--ckpt_path", str(run.checkpoint(CHECKPOINT_OF[subcommand[0]]))]
        flags = [word for config in configs for word in ("--config", config)]
        return cls([*subcommand, *flags, *rest[1:]], run)


def _take(argv: Sequence[str], names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The values of a flag, and the other words."""
    values, rest, words = [], [], iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in names:
            rest.append(word)
            continue
        given = value if equals else next(words, None)
        if given is None:
            raise ConfigError(f"{name} needs a value, for instance {name} " + ("runs/pets" if name == "--run" else "FILE"))
        values.append(given)
    return values, rest


class OneLineErrors:
    """For parsers: an error is one line on stderr and exit code 2; the usage is left to ``--help``."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        line = shorten(message)
        unknown = re.search(r"(?:Unrecognized arguments: --|Option ')([\w.]+)", line)
        if unknown:
            line += _suggestion(unknown[1], self)
        print(f"lightning-seg: error: {line}", file=sys.stderr)
        if ex is not None and "--debug" in sys.argv:
            raise ex
        sys.exit(2)


def shorten(message: str) -> str:
    """The lines of a message joined, bullets and indentation taken out."""
    lines = (line.strip(" -\t") for line in message.splitlines())
    return " ".join(line for line in lines if line)


def _suggestion(option: str, parser: Any) -> str:
    names = [action.dest for action in getattr(parser, "_actions", [])]
    near = get_close_matches(option, names, n=1)
    return f"; did you mean --{near[0]}?" if near else ""
