"""Flags of commands that apply exported files: read by argparse alone, since the usual parser brings torch with it."""

import argparse
import json
import types
from collections.abc import Callable
from typing import Any, Literal, NoReturn, Union, get_args, get_origin

from lightning_seg.errors import ConfigError

OF_RUNS = ("--run", "--ckpt_path", "--config", "-c")


class Once(argparse.Action):
    """A flag that is given once: of two models, the first would go unused without a word."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if hasattr(namespace, self.dest):
            parser.error(f"{option} is given twice, {getattr(namespace, self.dest)} and {values}; give one")
        setattr(namespace, self.dest, values)


class LightParser(argparse.ArgumentParser):
    """A mistake is an error of ours, and so one line; flags that were not given are not in what is parsed.

    Args:
        command: whose flags they are.
        usage: what is given to it, behind ``--model FILE.onnx``.
        about: a text for its help.
    """

    def __init__(self, command: str, usage: str, about: str) -> None:
        self.command = command
        super().__init__(
            prog=f"lightning-seg {command}",
            usage=f"lightning-seg {command} --model FILE.onnx {usage}",
            description=about,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def add_flag(self, name: str, hint: Any, text: str, **more: Any) -> None:
        """A flag with a value of a type."""
        self.add_argument(f"--{name}", type=reader_of(hint), metavar=name.upper(), help=text.replace("%", "%%"), **more)

    def error(self, message: str) -> NoReturn:
        help_ = f"{self.command} --model FILE.onnx --help lists the flags"
        raise ConfigError(f"{message.removeprefix('argument ')}; {help_}")

    def refuse(self, word: str) -> NoReturn:
        """Raises the error of a flag that means nothing to an exported file."""
        name = word.partition("=")[0]
        if name in OF_RUNS:
            raise ConfigError(f"{name} is of a run, and --model names an exported file; give one of them")
        raise ConfigError(f"{name} means nothing to an exported file; leave it out, or {self.command} with --run")


def reader_of(hint: Any) -> Callable[[str], Any]:
    """What makes a value of a type of the word behind a flag."""

    def read(text: str) -> Any:
        try:
            return _value(hint, text)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not {_expected(hint)}") from error

    return read


def _value(hint: Any, text: str) -> Any:
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (one for one in options if one is not types.NoneType)
        return None if text == "null" else _value(inner, text)
    if origin is Literal:
        return {one: one for one in options}[text]
    if hint is bool:
        return {"true": True, "false": False}[text.lower()]
    if isinstance(hint, type) and hint in (int, float, str):
        return hint(text)
    return tuple(float(one) for one in json.loads(text))


def _expected(hint: Any) -> str:
    options = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return ", or ".join(_expected(one) for one in options if one is not types.NoneType) + ", or null"
    if get_origin(hint) is Literal:
        return f"one of {', '.join(options)}"
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(hint, "a list such as [2,3]")
