"""``lightning-seg predict --model model.onnx``: what ``predict --run`` does, by an exported file and without torch."""

import argparse
import json
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from lightning_seg.errors import ConfigError
from lightning_seg.inference.knobs import KINDS, texts_of

ABOUT = """Write what an exported model says of pictures: masks, labels or boxes, the files and numbers of
predict --run. It needs onnxruntime, and neither torch nor the run."""


class _Parser(argparse.ArgumentParser):
    """A mistake is an error of ours, and so one line."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message.removeprefix('argument ')}; predict --model FILE.onnx --help lists the flags")


def run_flags(flags: Sequence[str]) -> int:
    """Predict with the flags of ``predict``; returns the exit code."""
    typed, rest = flag_parser().parse_known_args(_split(flags))
    if rest:
        raise ConfigError(_meaningless(rest[0]))
    given = vars(typed)
    # Not before the flags are read, so that help and mistakes answer at once.
    from lightning_seg.datasets.finding import asks_for_unlabelled

    if asks_for_unlabelled(given.get("images")):
        raise ConfigError(
            f"images unlabelled: {given['model']} knows no dataset; predict with --run, or give photo.jpg, a folder or "
            "a quoted pattern"
        )
    model, images, output = (given.pop(name, None) for name in ("model", "images", "output"))
    if images is None:
        raise ConfigError(f"images: {model} knows no dataset; give --images photo.jpg, a folder or a quoted pattern")
    return predict(model, images, "predictions" if output is None else output, **given)


def predict(model: str, images: Sequence[str], output: str = "predictions", **knobs: Any) -> int:
    """Write predicted masks, labels or boxes, and print the folder.

    Args:
        model: file that ``export`` has written.
        images: pictures, folders of pictures or patterns.
        output: folder for what is written.
        knobs: see ``inference.knobs``.

    Returns:
        The exit code: 3 if some pictures could not be read.
    """
    # Not before the flags are read, so that help and mistakes answer at once.
    from lightning_seg.prediction_files import SOME_UNREADABLE
    from lightning_seg.serving.applied import apply_file
    from lightning_seg.serving.model_file import ExportedModel
    from lightning_seg.serving.predicting import predict_folder

    files = predict_folder(apply_file(ExportedModel(model), knobs), images, output)
    print(files.output, flush=True)
    return SOME_UNREADABLE if files.num_unreadable else 0


def flag_parser() -> argparse.ArgumentParser:
    """The flags: those of ``predict`` that are not about a run, its data or its trainer."""
    parser = _Parser(
        prog="lightning-seg predict",
        usage="lightning-seg predict --model FILE.onnx --images PICTURES [options]",
        description=ABOUT,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, help="file that lightning-seg export has written")
    parser.add_argument("--images", action="extend", nargs="+", help="pictures, folders of pictures or quoted patterns")
    parser.add_argument("--output", help="folder for what is written; without it predictions/ here")
    for name, hint, text in _knobs():
        parser.add_argument(f"--{name}", type=_reader(hint), metavar=name.upper(), help=text.replace("%", "%%"))
    return parser


def _knobs() -> Iterator[tuple[str, Any, str]]:
    """Name, type and text of each, as the flags of a run have them."""
    seen = set[str]()
    for kind in KINDS:
        hints, texts = get_type_hints(kind), texts_of(kind)
        for name in (one.name for one in fields(kind) if one.name not in seen):
            seen.add(name)
            yield name, hints[name], texts[name]


def _reader(hint: Any) -> Callable[[str], Any]:
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
    if isinstance(hint, type) and hint in (int, float):
        return hint(text)
    return tuple(float(one) for one in json.loads(text))


def _expected(hint: Any) -> str:
    options = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return ", or ".join(_expected(one) for one in options if one is not types.NoneType) + ", or null"
    if get_origin(hint) is Literal:
        return f"one of {', '.join(options)}"
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(hint, "a list such as [2,3]")


def _split(flags: Sequence[str]) -> list[str]:
    """``--images=a b`` are two pictures; argparse takes one behind an ``=``."""
    words: list[str] = []
    for flag in flags:
        words += ["--images", flag.removeprefix("--images=")] if flag.startswith("--images=") else [flag]
    return words


def _meaningless(word: str) -> str:
    name = word.partition("=")[0]
    if name in ("--run", "--ckpt_path", "--config", "-c"):
        return f"{name} is of a run, and --model names an exported file; give one of them"
    return f"{name} means nothing to an exported file; leave it out, or predict with --run"
