"""The typed words as Lightning's parser needs them, with errors of one line."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

import yaml
from jsonargparse import get_loader

import lightning_seg
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
    "--config": "configs/pets.yaml",
    "-c": "configs/pets.yaml",
    "--variant": "none:configs/overrides/no_augmentation.yaml",
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
KINDS_OF_MIXING = ("cutmix", "mixup", "both")
CHECKPOINT_OF = {"fit": "last", "validate": "best", "test": "best", "predict": "best"}


class RunArguments(NamedTuple):
    """The command line with ``--run`` replaced by the config and checkpoint of that run."""

    for_lightning: list[str]
    run: Run | None

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Self:
        """``fit --run RUN`` continues from the last checkpoint, the other subcommands use the best.

        The config of a run that is not trained further is checked first, see ``check_config``; everything that the user
        types is trusted, and with ``--trust_config`` the whole config.

        ``--config`` may stand anywhere: the files are read in their order, before the other flags. ``--ckpt_path``
        without a config or a model means the run of that checkpoint. ``--images`` may stand more than once.

        Raises:
            ConfigError: if ``--run`` has no value or there is no such run, a config cannot be read, or that of the run
                would build something unknown.
        """
        runs, rest = take(argv, ("--run",))
        trusts, rest = take(bare_is_true(rest, TRUST), (TRUST,))
        configs, rest = take(_joined(rest, "--images"), ("--config", "-c"))
        typed = Typed.of(rest, configs, trusts)
        subcommand = rest[:1]
        run = find_run(runs[-1]) if runs else None
        checkpoint = _value(rest, "--ckpt_path")
        if run is None and checkpoint and not configs and not _names(rest, "--model"):
            run = find_run(checkpoint) if Path(checkpoint).is_file() else None
        if run is None and typed.trusts_config:
            raise ConfigError("trust_config is about the config of --run; give --run RUN, too, or leave it out")
        if run is not None and subcommand and subcommand[0] in CHECKPOINT_OF:
            # What was checked is what is read.
            configs = [str(yaml.safe_dump(content_of(run, typed, subcommand[0] == "fit"))), *configs]
            if checkpoint is None:
                rest += ["--ckpt_path", str(run.checkpoint(CHECKPOINT_OF[subcommand[0]]))]
        flags = [word for config in configs for word in ("--config", config)]
        return cls([*subcommand, *flags, *rest[1:]], run)


class Typed(NamedTuple):
    """What the user has typed about classes."""

    names: frozenset[str]  # every text that was typed, or stands in a config that was typed
    classes: dict[str, str]  # of the sections, by their names
    trusts_config: bool  # that of the run

    @classmethod
    def of(cls, words: Sequence[str], configs: Sequence[str], trusts: Sequence[str]) -> Self:
        """From flags, the configs among them, and the values of ``--trust_config``.

        Raises:
            ConfigError: if a config cannot be read, or a value of ``--trust_config`` is neither true nor false.
        """
        contents = [read_config(Path(config)) for config in configs]
        classes = {*_class_words(words), *texts(contents)}
        make_importable(sorted(classes))
        if trusts and trusts[-1] not in ("true", "false"):
            raise ConfigError(f"trust_config: {trusts[-1]!r} is not accepted; expected true or false")
        return cls(frozenset({*words, *classes}), _classes(words, contents), trusts[-1:] == ["true"])


def _class_words(words: Sequence[str]) -> Iterator[str]:
    """Every text in the values of flags that take classes."""
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        flag = name.rstrip("+")
        if flag in ("--model", "--data") or flag.startswith("--trainer.") or flag.endswith((".class_path", ".augment")):
            given = value if equals else following
            try:
                yield from texts(yaml.safe_load(given))
            except yaml.YAMLError:
                # The parser says so.
                continue


def _classes(words: Sequence[str], contents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Later ones win, and typed ones win over configs."""
    classes: dict[str, str] = {}
    for section in ("model", "data"):
        for content in contents:
            held = content.get(section)
            given = held.get("class_path") if isinstance(held, Mapping) else held
            classes |= {section: given} if isinstance(given, str) else {}
        typed = _value(words, f"--{section}") or _value(words, f"--{section}.class_path")
        classes |= {section: typed} if typed else {}
    return classes


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


def _names(words: Sequence[str], flag: str) -> bool:
    return any(word.partition("=")[0] == flag for word in words)


def _value(words: Sequence[str], flag: str) -> str | None:
    values, _ = take(words, (flag,))
    return values[-1] if values else None


def import_public_classes() -> None:
    """jsonargparse knows the short name of a class once its module is imported."""
    for name in CLASS_NAMES:
        getattr(lightning_seg, name)


def read_config(path: Path) -> dict[str, Any]:
    """The sections of a config file.

    Raises:
        ConfigError: if there is no such file, or it holds something else.
    """
    try:
        content = read_yaml(path)
    except OSError:
        near = get_close_matches(path.name, sorted(other.name for other in path.parent.glob("*.y*ml")), n=1)
        hint = f"did you mean {path.parent / near[0]}?" if near else "give the path of a YAML file"
        raise ConfigError(f"{path}: no such config; {hint}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a config holds sections such as data and model, this file has none")
    return content


def _joined(words: Sequence[str], flag: str) -> list[str]:
    """The words with all values of a repeated flag at its first place: argparse would keep only the last ones."""
    values: list[str] = []
    rest: list[str] = []
    place, inside = None, False
    for word in words:
        name, equals, value = word.partition("=")
        if name == flag:
            inside, place = not equals, len(rest) if place is None else place
            values += [value] if equals else []
        elif inside and not word.startswith("--"):
            values.append(word)
        else:
            inside = False
            rest.append(word)
    return [*words] if place is None else [*rest[:place], flag, *values, *rest[place:]]


def take(argv: Sequence[str], names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The values of a flag, and the other words.

    Raises:
        ConfigError: if its value is missing.
    """
    values, rest, words = [], [], iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in names:
            rest.append(word)
            continue
        given = value if equals else next(words, None)
        if given is None or (not equals and given.startswith("--")):
            raise ConfigError(f"{name} needs a value, for instance {name} {EXAMPLES[name]}")
        values.append(given)
    return values, rest


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
        line = printable(rephrase(message, option_names(self), self.typed))
        print(f"lightning-seg: error: {line}", file=sys.stderr)
        sys.exit(2)


def option_names(parser: Any) -> list[str]:
    """The flags of a parser, without dashes and without their class."""
    flags = (flag for action in parser._actions for flag in action.option_strings)
    return [flag.lstrip("-") for flag in flags]


def rephrase(message: str, options: Sequence[str] = (), words: Sequence[str] = ()) -> str:
    """A parser's message as one line that ends in a remedy.

    Args:
        message: as jsonargparse words it, often over many lines.
        options: existing options, to suggest in place of an unknown one.
        words: the typed words.
    """
    lines = [line.strip(" -\t") for line in message.splitlines() if line.strip(" -\t")]
    line = " ".join(lines)
    if unknown := re.search(r"(?:[Uu]nrecognized arguments: --|Option ')([\w.]+)", line):
        return line + _nearest(unknown[1], options, _section_of(unknown[1], words))
    if missing := re.search(r"arguments are required: (.*)", line):
        needed = [name.rpartition(".")[2] for name in missing[1].split(", ")]
        if "." in missing[1]:
            return f"{' and '.join(needed)} missing; give --run RUN, or a config: --config configs/pets.yaml"
        return f"missing: {', '.join(needed)}; --help tells what it is"
    if bare := re.search(r"argument (--[\w.]+)\S*: expected (?:one|at least one) argument", line):
        flag = _without_value(bare[1], words) or bare[1]
        return f"{flag} needs a value, for instance {flag} {EXAMPLES.get(flag, 'VALUE')}"
    if name := re.search(r"Expected a dot import path string: (\S+)|unable to import class (\S+)", line):
        return _rephrase_class(name[1] or name[2], words)
    if "Does not validate against any of the Union subtypes" in line:
        return _rephrase_choice(lines)
    if plain := re.search(r'Parser key "([^"]+)": Expected an? (.+)\. Got value: (.*)', line):
        return f"{plain[1]}: {plain[3]!r} is not accepted; expected {named_type(plain[2])}"
    return re.sub(r"<class '([\w.]+)'>", r"\1", line)


def _rephrase_choice(lines: Sequence[str]) -> str:
    key = re.search(r'Parser key "([^"]+)"', lines[0])
    # The outermost value is the last one.
    given = [line.removeprefix("Given value: ") for line in lines if line.startswith("Given value: ")][-1:]
    wanted = (re.sub("^Expected (an? )?", "", line) for line in lines if line.startswith("Expected "))
    choices = " or ".join(dict.fromkeys(map(named_type, wanted)))
    return f"{key[1] if key else 'argument'}: {''.join(given)!r} is not accepted; expected {choices}"


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
