"""What the user typed: turned into what Lightning's parser understands, with errors of one line."""

import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self

import lightning_seg
from lightning_seg.errors import ConfigError
from lightning_seg.runs import Run, find_run

CLASS_NAMES = [name for name in lightning_seg.__all__ if name.endswith(("Task", "DataModule"))]
EXAMPLES = {
    "--run": "runs/pets",
    "--ckpt_path": "runs/pets/version_0/checkpoints/best.ckpt",
    "--config": "configs/pets.yaml",
    "-c": "configs/pets.yaml",
    "--variant": "none:configs/overrides/no_augmentation.yaml",
}
CHECKPOINT_OF = {"fit": "last", "validate": "best", "test": "best", "predict": "best"}


class RunArguments(NamedTuple):
    """The command line with ``--run`` replaced by the config and checkpoint of that run."""

    for_lightning: list[str]
    run: Run | None

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Self:
        """``fit --run RUN`` continues from the last checkpoint, the other subcommands use the best.

        ``--config`` may stand anywhere: the files are read in their order, before the other flags. ``--ckpt_path``
        without a config or a model stands for the run that the checkpoint belongs to.

        Raises:
            ConfigError: if ``--run`` has no value or there is no such run.
        """
        runs, rest = take(argv, ("--run",))
        configs, rest = take(rest, ("--config", "-c"))
        subcommand = rest[:1]
        run = find_run(runs[-1]) if runs else None
        checkpoint = _value(rest, "--ckpt_path")
        if run is None and checkpoint and not configs and not _names(rest, "--model"):
            run = find_run(checkpoint) if Path(checkpoint).is_file() else None
        if run is not None and subcommand and subcommand[0] in CHECKPOINT_OF:
            configs = [str(run.config), *configs]
            if checkpoint is None:
                rest += ["--ckpt_path", str(run.checkpoint(CHECKPOINT_OF[subcommand[0]]))]
        flags = [word for config in configs for word in ("--config", config)]
        return cls([*subcommand, *flags, *rest[1:]], run)


def _names(words: Sequence[str], flag: str) -> bool:
    return any(word.partition("=")[0] == flag for word in words)


def _value(words: Sequence[str], flag: str) -> str | None:
    values, _ = take(words, (flag,))
    return values[-1] if values else None


def import_public_classes() -> None:
    """jsonargparse knows a class by its short name once its module is imported."""
    for name in CLASS_NAMES:
        getattr(lightning_seg, name)


def take(argv: Sequence[str], names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The values of a flag, and the other words."""
    values, rest, words = [], [], iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in names:
            rest.append(word)
            continue
        given = value if equals else next(words, None)
        if given is None:
            raise ConfigError(f"{name} needs a value, for instance {name} {EXAMPLES[name]}")
        values.append(given)
    return values, rest


class OneLineErrors:
    """For parsers: an error is one line on stderr and exit code 2; the usage is left to ``--help``."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if ex is not None and "--debug" in sys.argv:
            raise ex
        print(f"lightning-seg: error: {rephrase(message, option_names(self))}", file=sys.stderr)
        sys.exit(2)


def option_names(parser: Any) -> list[str]:
    """The flags of a parser, without dashes and without the class they belong to."""
    flags = (flag for action in parser._actions for flag in action.option_strings)
    return [flag.lstrip("-") for flag in flags]


def rephrase(message: str, options: Sequence[str] = ()) -> str:
    """A parser's message as one line that ends in a remedy.

    Args:
        message: as jsonargparse words it, often over many lines.
        options: what could have been meant by an option that does not exist.
    """
    lines = [line.strip(" -\t") for line in message.splitlines() if line.strip(" -\t")]
    line = " ".join(lines)
    if unknown := re.search(r"(?:[Uu]nrecognized arguments: --|Option ')([\w.]+)", line):
        return line + _nearest(unknown[1], options, "--")
    if missing := re.search(r"arguments are required: (.*)", line):
        return f"{line}; give them, or a --config that holds them" if "." in missing[1] else line
    if name := re.search(r"Expected a dot import path string: (\S+)|unable to import class (\S+)", line):
        given = name[1] or name[2]
        if given.rpartition(".")[2] in CLASS_NAMES:
            return f"the class {given} is of another kind; tasks go to model, datamodules to data"
        return f"there is no class {given!r}{_nearest(given, CLASS_NAMES, '')}"
    if "Does not validate against any of the Union subtypes" in line:
        return _rephrase_choice(lines)
    return re.sub(r"<class '([\w.]+)'>", r"\1", line)


def _rephrase_choice(lines: Sequence[str]) -> str:
    key = re.search(r'Parser key "([^"]+)"', lines[0])
    # The outermost value is the last one.
    given = [line.removeprefix("Given value: ") for line in lines if line.startswith("Given value: ")][-1:]
    wanted = (line.removeprefix("Expected a ") for line in lines if line.startswith("Expected a "))
    named = [re.sub(r"<class '(\w+)'>|typing\.Literal(\[.*\])", r"\1\2", choice) for choice in wanted]
    choices = " or ".join(dict.fromkeys("null" if name == "NoneType" else name for name in named))
    return f"{key[1] if key else 'argument'}: {''.join(given)!r} is not accepted; expected {choices}"


def _nearest(name: str, names: Sequence[str], dashes: str) -> str:
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {dashes}{near[0]}?" if near else ""
