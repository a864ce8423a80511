"""``lightning-seg predict --model model.onnx``: what ``predict --run`` does, by an exported file and without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from importlib import import_module
from threading import Thread
from typing import Any, get_type_hints

from lightning_seg.commands.light_parsing import LightParser, Once
from lightning_seg.errors import ConfigError
from lightning_seg.inference.knobs import KINDS, texts_of

ABOUT = """Write what an exported model says of pictures: masks, labels or boxes, the files and numbers of
predict --run. It needs onnxruntime, and neither torch nor the run."""


def run_flags(flags: Sequence[str]) -> int:
    """Predict with the flags of ``predict``; returns the exit code."""
    parser = flag_parser()
    typed, rest = parser.parse_known_args(_split(flags))
    if rest:
        parser.refuse(rest[0])
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


def predict(
    model: str,
    images: Sequence[str],
    output: str = "predictions",
    plots: str = "png",
    tint_background: bool = False,
    **knobs: Any,
) -> int:
    """Write predicted masks, labels or boxes, and print the folder.

    Args:
        model: file that ``export`` has written.
        images: pictures, folders of pictures or patterns.
        output: folder for what is written.
        plots: formats of what is drawn of all pictures together, with commas between them.
        tint_background: in overlays, darken the class called background, too.
        knobs: see ``inference.knobs``.

    Returns:
        The exit code: 3 if some pictures could not be read.
    """
    # Half of the time to the first picture is matplotlib's, for the sheet; onnxruntime opens the file beside it.
    Thread(target=import_module, args=("lightning_seg.plots.contact_sheet",), daemon=True).start()
    # Not before the flags are read, so that help and mistakes answer at once.
    from lightning_seg.plots.formats import parse_formats
    from lightning_seg.prediction_files import SOME_UNREADABLE
    from lightning_seg.serving.applied import apply_file
    from lightning_seg.serving.model_file import ExportedModel
    from lightning_seg.serving.predicting import predict_folder

    formats = parse_formats(plots)
    files = predict_folder(apply_file(ExportedModel(model), knobs), images, output, formats, tint_background)
    print(files.output, flush=True)
    return SOME_UNREADABLE if files.num_unreadable else 0


def flag_parser() -> LightParser:
    """The flags: those of ``predict`` that are not about a run, its data or its trainer."""
    parser = LightParser("predict", "--images PICTURES [options]", ABOUT)
    parser.add_argument("--model", required=True, action=Once, help="file that lightning-seg export has written")
    parser.add_argument("--images", action="extend", nargs="+", help="pictures, folders of pictures or quoted patterns")
    parser.add_argument("--output", help="folder for what is written; without it predictions/ here")
    help_of_plots = "Formats of the plots that are written: png, svg or pdf, or several, for instance png,svg."
    parser.add_argument("--plots", help=help_of_plots)
    help_of_background = "In overlays, darken the class called background, too."
    parser.add_flag("tint_background", bool, help_of_background)
    for name, hint, text in _knobs():
        parser.add_flag(name, hint, text)
    return parser


def _knobs() -> Iterator[tuple[str, Any, str]]:
    """Name, type and text of each, as the flags of a run have them."""
    seen = set[str]()
    for kind in KINDS:
        hints, texts = get_type_hints(kind), texts_of(kind)
        for name in (one.name for one in fields(kind) if one.name not in seen):
            seen.add(name)
            yield name, hints[name], texts[name]


def _split(flags: Sequence[str]) -> list[str]:
    """``--images=a b`` are two pictures; argparse takes one behind an ``=``."""
    words: list[str] = []
    for flag in flags:
        words += ["--images", flag.removeprefix("--images=")] if flag.startswith("--images=") else [flag]
    return words
