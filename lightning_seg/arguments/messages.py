"""Errors of parsers as one line that ends in a remedy."""

import re
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, NoReturn

import lightning_seg
from lightning_seg.arguments.reading import read_config
from lightning_seg.class_arguments import actions_of
from lightning_seg.errors import RefusedError
from lightning_seg.yaml_files import dotted

CLASSES = {
    section: [name for name in lightning_seg.__all__ if name.endswith(ending)]
    for section, ending in {"model": "Task", "data": "DataModule"}.items()
}
"""Those of this package, by the section of a config that takes them."""
EXAMPLES = {
    "--run": "runs/pets",
    "--ckpt_path": "runs/pets/version_0/checkpoints/best.ckpt",
    "--config": "pets",
    "-c": "pets",
    "--variant": "none:overrides/no_augmentation",
    "--images": "'photos/*.jpg'",
    "--output": "predictions",
    "--keep_probs": "true",
    "--cam": "true",
    "--original_size": "true",
    "--data.classes": "'[background, cat]'",
}


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


def import_public_classes() -> None:
    """jsonargparse knows the short name of a class once its module is imported."""
    for names in CLASSES.values():
        for name in names:
            getattr(lightning_seg, name)


class WordParser(ArgumentParser):
    """Its errors are one line, without the usage, and it does not guess what an unfinished flag means."""

    typed: ClassVar[Sequence[str]] = ()
    """The whole command line; the parser of a class gets only a part of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise RefusedError(rephrase(message, self.known_flags(), self.typed)) from ex

    def known_flags(self) -> list[str]:
        """What could have been meant by a flag that does not exist, without dashes."""
        return [flag.lstrip("-") for action in actions_of(self) for flag in action.option_strings]


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
    return f"{found[1]}: {_shown(found[3])} is not accepted; expected {named_type(found[2])}"


def _shown(value: str) -> str:
    return "null" if value == "None" else repr(value)


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
    return f"{key[1] if key else 'argument'}: {_shown(''.join(given))} is not accepted; expected {choices}"


def _is_of_the_other_lightning(path: str) -> bool:
    """Whether a class derives from the package ``lightning``, which holds the classes of Lightning a second time."""
    module, _, name = path.rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and any(base.__module__.partition(".")[0] == "lightning" for base in kind.__mro__)


def _rephrase_class(given: str, words: Sequence[str]) -> str:
    """The message for an unknown class name."""
    known = [*CLASSES["model"], *CLASSES["data"]]
    if given.rpartition(".")[2] in known:
        return f"the class {given} is of another kind; tasks go to model, datamodules to data"
    # An argument that is built from several values, of which the first alone was given.
    if given in KINDS_OF_MIXING:
        return f"mixing: {given!r} is its kind; give --data.mixing.kind {given}"
    near = _nearest(given, known, "")
    asked = next((CLASSES[word.lstrip("-")] for word in words if word in ("--data", "--model")), [])
    return f"there is no class {given!r}{near or (asked and '; there are ' + ', '.join(asked)) or ''}"


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
    if not near:
        return ""
    # Those of another class have their section already.
    return f"; did you mean {'--' if '.' in near[0] else dashes}{near[0]}?"
