"""The typed words as Lightning's parser needs them, with errors of one line."""

import json
import re
import sys
from argparse import Action, ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

import yaml
from jsonargparse import get_loader

import lightning_seg
from lightning_seg.configs import find_config
from lightning_seg.errors import ConfigError
from lightning_seg.files import printable
from lightning_seg.runs import Run, find_run
from lightning_seg.trust import check_config, make_importable, replace_unknown, texts
from lightning_seg.yaml_files import guard_parsers, read_yaml

guard_parsers()

CLASS_NAMES = [name for name in lightning_seg.__all__ if name.endswith(("Task", "DataModule"))]
EXAMPLES = {
    "--run": "runs/pets",
    "--ckpt_path": "runs/pets/version_0/checkpoints/best.ckpt",
    "--config": "pets",
    "-c": "pets",
    "--variant": "none:overrides/no_augmentation",
    "--images": "'photos/*.jpg'",
    "--output": "predictions",
    "--keep_probs": "true",
    "--original_size": "true",
    "--data.classes": "'[background, cat]'",
}
TRUST = "--trust_config"
TYPES = {
    "list": "a list, for instance '[a, b]'",
    "sequence": "a list, for instance '[a, b]'",
    "tuple": "a list, for instance '[128, 192]'",
    "dict": "a mapping, for instance '{a: 1}'",
    "mapping": "a mapping, for instance '{a: 1}'",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "str": "text",
    "nonetype": "null",
}
USUAL = {
    "batch": "batch_size",
    "epochs": "max_epochs",
    "gpus": "devices",
    "imgsz": "image_size",
    "learning_rate": "lr",
    "workers": "num_workers",
}
"""What arguments are called elsewhere."""
KINDS_OF_MIXING = ("cutmix", "mixup", "both")
CHECKPOINT_OF = {"fit": "last", "validate": "best", "test": "best", "predict": "best"}


ABSENT = object()
"""Stands for what nobody has given."""


class _Words(ArgumentParser):
    """argparse's parser for those flags that are looked at before Lightning's sees the others."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(rephrase(message))


class Asked(NamedTuple):
    """The flags about configs and runs, and the other words in their order."""

    configs: list[str]
    runs: list[str]
    trusts: str | None
    images: list[str] | None
    rest: list[str]

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """In one pass; ``--config`` may stand anywhere, ``--images`` more than once.

        Raises:
            ConfigError: if the value of one of them is missing.
        """
        parser = _Words(add_help=False, allow_abbrev=False)
        parser.add_argument("--config", "-c", action="append", default=[])
        parser.add_argument("--run", action="append", default=[])
        parser.add_argument(TRUST, nargs="?", const="true")
        parser.add_argument("--images", action="extend", nargs="+")
        found, rest = parser.parse_known_args(words)
        configs = [str(find_config(name)) for name in found.config]
        return cls(configs, found.run, found.trust_config, found.images, rest)


class RunArguments(NamedTuple):
    """The command line with ``--run`` replaced by the config and checkpoint of that run."""

    for_lightning: list[str]
    run: Run | None
    typed: "Typed"

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
        run = find_run(asked.runs[-1]) if asked.runs else None
        checkpoint = typed.flag("--ckpt_path")
        if run is None and checkpoint and not configs and typed.flag("--model") is None:
            run = find_run(checkpoint) if Path(checkpoint).is_file() else None
        if run is None and typed.trusts_config:
            raise ConfigError("trust_config is about the config of --run; give --run RUN, too, or leave it out")
        if run is not None and subcommand and subcommand[0] in CHECKPOINT_OF:
            # What was checked is what is read.
            configs = [str(yaml.safe_dump(content_of(run, typed, subcommand[0] == "fit"))), *configs]
            if checkpoint is None:
                rest += ["--ckpt_path", str(run.checkpoint(CHECKPOINT_OF[subcommand[0]]))]
        if asked.images is not None:
            rest.append(f"--images={json.dumps(asked.images)}")
        flags = [word for config in configs for word in ("--config", config)]
        return cls([*subcommand, *flags, *rest[1:]], run, typed)


class Typed(NamedTuple):
    """What the user himself says, by flags and in configs that are named on the line."""

    flags: list[tuple[str, str]]  # each with the word behind it, or behind its =
    contents: list[Mapping[str, Any]]  # of the configs, in their order
    trusts_config: bool  # that of the run

    @classmethod
    def of(cls, asked: Asked) -> Self:
        """From the words of a command line; modules in the working folder that they name can be imported then.

        Raises:
            ConfigError: if a config cannot be read, or ``--trust_config`` is neither true nor false.
        """
        contents: list[Mapping[str, Any]] = [read_config(config) for config in asked.configs]
        if asked.trusts not in ("true", "false", None):
            raise ConfigError(f"trust_config: {asked.trusts!r} is not accepted; expected true or false")
        typed = cls(list(_flags(asked.rest)), contents, asked.trusts == "true")
        make_importable(sorted({*typed._class_words(), *texts(contents)}))
        return typed

    @property
    def names(self) -> frozenset[str]:
        """Every text that was typed, or stands in a config that was typed."""
        words = (word for pair in self.flags for word in pair)
        return frozenset({*words, *self._class_words(), *texts(self.contents)})

    def flag(self, name: str) -> str | None:
        """The last value of a flag."""
        return next((value for flag, value in reversed(self.flags) if flag == name), None)

    def value(self, section: str, name: str) -> Any:
        """The last value of an argument of a section's class, ``ABSENT`` if nobody has given it; flags win."""
        for flag, value in reversed(self.flags):
            if flag.replace(".init_args.", ".") == f"--{section}.{name}":
                return yaml.safe_load(value)
            within = yaml.safe_load(value) if flag == f"--{section}" else None
            if isinstance(within, Mapping) and name in within.get("init_args", {}):
                return within["init_args"][name]
        held: Any = ABSENT
        for content in self.contents:
            held = dict(dotted(content)).get(f"{section}.{name}", held)
        return held

    @property
    def classes(self) -> dict[str, str]:
        """Of the sections, by their names; later ones win, and what is typed wins over configs."""
        classes: dict[str, str] = {}
        for section in ("model", "data"):
            for content in self.contents:
                held = content.get(section)
                given = held.get("class_path") if isinstance(held, Mapping) else held
                classes |= {section: given} if isinstance(given, str) else {}
            typed = self.flag(f"--{section}") or self.flag(f"--{section}.class_path")
            classes |= {section: typed} if typed else {}
        return classes

    def _class_words(self) -> Iterator[str]:
        """Every text in the values of flags that take classes."""
        for name, value in self.flags:
            flag = name.rstrip("+")
            if flag in ("--model", "--data") or flag.startswith(("--model.", "--data.", "--trainer.")):
                # What cannot be read the parser refuses.
                with suppress(yaml.YAMLError):
                    yield from texts(yaml.safe_load(value))


def _flags(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            yield name, value if equals else following


def dotted(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a config with its name as it is typed: ``model.lr``."""
    for key, value in content.items():
        name = f"{before}{key}".replace(".init_args", "")
        yield name, value
        if isinstance(value, Mapping):
            yield from dotted(value, f"{name}.")


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
            replace_unknown(content, section, name)
        check_config(run.config, content, typed.names, own)
    return content


def import_public_classes() -> None:
    """jsonargparse knows the short name of a class once its module is imported."""
    for name in CLASS_NAMES:
        getattr(lightning_seg, name)


def read_config(config: str | Path) -> dict[str, Any]:
    """The sections of a config: of a file, or of a name, see ``find_config``.

    Raises:
        ConfigError: if there is none, or it holds something else.
    """
    path = find_config(config)
    try:
        content = read_yaml(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give another config") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a config holds sections such as data and model, this file has none")
    return content


def bare_is_true(words: Sequence[str], flag: str) -> list[str]:
    """``--compare`` as ``--compare=true``, for a flag that needs no value."""
    bare = [word == flag and after not in ("true", "false") for word, after in pairwise([*words, ""])]
    return [f"{flag}=true" if alone else word for word, alone in zip(words, bare, strict=True)]


class OneLineErrors:
    """For parsers: an error is one line on stderr and exit code 2; the usage appears only with ``--help``."""

    typed: ClassVar[Sequence[str]] = ()
    """The whole command line; the parser of a class gets only a part of it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if ex is not None and "--debug" in sys.argv:
            raise ex
        line = printable(rephrase(message, self.known_flags(), self.typed))
        print(f"lightning-seg: error: {line}", file=sys.stderr)
        sys.exit(2)

    def known_flags(self) -> list[str]:
        """What could have been meant by a flag that does not exist, without dashes."""
        actions: Sequence[Action] = self._actions  # type: ignore[attr-defined]
        return [flag.lstrip("-") for action in actions for flag in action.option_strings]


def rephrase(message: str, options: Sequence[str] = (), words: Sequence[str] = ()) -> str:
    """A parser's message as one line that ends in a remedy.

    Args:
        message: as jsonargparse words it, often over many lines.
        options: existing options, to suggest in place of an unknown one.
        words: the typed words.
    """
    lines = [line.strip(" -\t") for line in message.splitlines() if line.strip(" -\t")]
    said = Said(lines, options, words)
    for pattern, say in RULES.items():
        if found := re.search(pattern, said.line):
            return say(found, said)
    return re.sub(r"<class '([\w.]+)'>", r"\1", said.line)


class Said(NamedTuple):
    """A message, and what was typed before it came."""

    lines: Sequence[str]
    options: Sequence[str]
    words: Sequence[str]

    @property
    def line(self) -> str:
        return " ".join(self.lines)


def _say_unknown(found: re.Match[str], said: Said) -> str:
    name = found[1]
    return f"{_file_with(name, said.words)}{said.line}{_meant(name, said.options)}"


def _say_unknown_of_class(found: re.Match[str], said: Said) -> str:
    """Its flags are told without its section."""
    name, file = found[1], _file_with(found[1], said.words)
    return f"{file}{said.line}{_nearest(name, said.options, '' if file else _section_of(name, said.words))}"


def _say_missing(found: re.Match[str], said: Said) -> str:
    needed = [name.rpartition(".")[2] for name in found[1].split(", ")]
    if "." in found[1]:
        return f"{' and '.join(needed)} missing; give --run RUN, or a config: --config pets"
    return f"missing: {', '.join(needed)}; --help tells what it is"


def _say_bare(found: re.Match[str], said: Said) -> str:
    flag = _without_value(found[1], said.words) or found[1]
    return f"{flag} needs a value, for instance {flag} {EXAMPLES.get(flag, 'VALUE')}"


def _say_type(found: re.Match[str], said: Said) -> str:
    return f"{found[1]}: {found[3]!r} is not accepted; expected {named_type(found[2])}"


RULES: Mapping[str, Callable[[re.Match[str], Said], str]] = {
    r"(?:[Uu]nrecognized arguments: --|does not accept option ')([\w.]+)": _say_unknown,
    r"Option '([\w.]+)": _say_unknown_of_class,
    r"arguments are required: (.*)": _say_missing,
    r"argument (--[\w.]+)\S*: expected (?:one|at least one) argument": _say_bare,
    r"Expected a dot import path string: (\S+)|unable to import class (\S+)": lambda found, said: _rephrase_class(
        found[1] or found[2], said.words
    ),
    "Does not validate against any of the Union subtypes": lambda found, said: _rephrase_choice(said.lines),
    r'Parser key "([^"]+)": Expected an? (.+)\. Got value: (.*)': _say_type,
}
"""How messages are known, and what is said in their place; the first that fits counts."""


def _rephrase_choice(lines: Sequence[str]) -> str:
    key = re.search(r'Parser key "([^"]+)"', lines[0])
    # The outermost value is the last one.
    given = [line.removeprefix("Given value: ") for line in lines if line.startswith("Given value: ")][-1:]
    if given and _is_of_the_other_lightning(given[0]):
        return (
            f"{given[0]} derives from lightning.pytorch, and this package is built on pytorch_lightning, whose classes "
            "are others; write import pytorch_lightning as pl"
        )
    wanted = (re.sub("^Expected (an? )?", "", line) for line in lines if line.startswith("Expected "))
    reasons = [after for line, after in pairwise(lines) if line.startswith("Problem with given class_path")]
    if reasons:
        return f"{key[1] if key else 'argument'}: {''.join(given)} cannot be built: {reasons[-1]}"
    choices = " or ".join(dict.fromkeys(map(named_type, wanted)))
    return f"{key[1] if key else 'argument'}: {''.join(given)!r} is not accepted; expected {choices}"


def _is_of_the_other_lightning(path: str) -> bool:
    """Whether a class derives from the package ``lightning``, which holds the classes of Lightning a second time."""
    module, _, name = path.rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and any(base.__module__.partition(".")[0] == "lightning" for base in kind.__mro__)


def _rephrase_class(given: str, words: Sequence[str]) -> str:
    """The message for an unknown class name."""
    if given.rpartition(".")[2] in CLASS_NAMES:
        return f"the class {given} is of another kind; tasks go to model, datamodules to data"
    # An argument that is built from several values, of which the first alone was given.
    if given in KINDS_OF_MIXING:
        return f"mixing: {given!r} is its kind; give --data.mixing.kind {given}"
    near = _nearest(given, CLASS_NAMES, "")
    asked = next((word.lstrip("-") for word in words if word in ("--data", "--model")), "")
    known = [name for name in CLASS_NAMES if name.endswith({"data": "DataModule", "model": "Task"}.get(asked, " "))]
    return f"there is no class {given!r}{near or (known and '; there are ' + ', '.join(known)) or ''}"


def named_type(words: str) -> str:
    """A type in common words."""
    name = re.sub(r"<class '([\w.]+)'>", r"\1", words).strip()
    if choices := re.search(r"Literal\[(.*)\]", name):
        return choices[1].replace("'", "").replace(", ", " or ")
    return TYPES.get(re.split(r"[\[ ]", name)[0].rpartition(".")[2].lower(), name)


def _meant(name: str, options: Sequence[str]) -> str:
    """The flag that is nearest to one that does not exist: of its own name in a section, or spelled alike."""
    name = USUAL.get(name, name)
    same = next((option for option in options if option == name or option.endswith(f".{name}")), None)
    lasts = {option.rpartition(".")[2]: option for option in reversed(options)}
    near = get_close_matches(name, [*options, *lasts], n=1)
    found = same or (lasts.get(near[0], near[0]) if near else None)
    return "" if found is None else f"; did you mean --{found}?"


def _file_with(name: str, words: Sequence[str]) -> str:
    """The config that holds an argument, as the beginning of a line; empty where it was typed."""
    wanted = name.rpartition(".")[2]
    if any(word.startswith("--") and word.partition("=")[0].rpartition(".")[2].lstrip("-") == wanted for word in words):
        return ""
    for word, following in pairwise(words):
        # That of a run is no file any more, but its content.
        if word == "--config" and "\n" not in following:
            keys = (key.rpartition(".")[2] for key, _ in dotted(read_config(following)))
            if wanted in keys:
                return f"{following}: "
    return ""


def _section_of(option: str, words: Sequence[str]) -> str:
    """The section typed before the name of an option: ``--model.``."""
    typed = (word.partition("=")[0] for word in words)
    return next((word.removesuffix(option) for word in typed if word.endswith(f".{option}")), "--")


def _without_value(flag: str, words: Sequence[str]) -> str | None:
    """The typed flag of this section without a value."""
    for word, following in pairwise([*words, "--"]):
        if word.partition(".")[0] == flag and "=" not in word and following.startswith("--"):
            return word
    return None


def _nearest(name: str, names: Sequence[str], dashes: str) -> str:
    near = get_close_matches(name, names, n=1)
    return f"; did you mean {dashes}{near[0]}?" if near else ""
