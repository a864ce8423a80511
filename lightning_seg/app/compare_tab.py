"""The tab Compare: two models on the same pictures, with a slider between their answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from lightning_seg.app.answers import answer, draw, summary_of, why_not
from lightning_seg.app.markup import line
from lightning_seg.app.sources import Source
from lightning_seg.app.uploads import SOURCES, Uploads
from lightning_seg.errors import ConfigError
from lightning_seg.files import printable

WAITING = "Choose a test picture, or give a photo."


class Pair(NamedTuple):
    """The answers of two models to one picture."""

    pictures: tuple[Image.Image, Image.Image]
    lines: tuple[str, str]


def check_comparable(first: Source, second: Source) -> None:
    """Raises ConfigError if two models do not answer the same question."""
    if first.kind != second.kind:
        raise ConfigError(
            f"{first.name} gives {first.kind} and {second.name} gives {second.kind}; give another --compare_with"
        )
    if first.found_names != second.found_names:
        raise ConfigError(
            f"{first.name} has the classes {_some(first.found_names)}, {second.name} {_some(second.found_names)}; give "
            "another --compare_with"
        )


def pair_of(first: Source, second: Source, picture: str | Path, name: str | None = None) -> Pair:
    """What both say to a picture.

    Raises:
        DataError: if it cannot be read.
    """
    said = [answer(source, picture, {}, name) for source in (first, second)]
    left, right = (draw(one.said) for one in said)
    left_line, right_line = (f"{one.source}: {summary_of(one)}" for one in said)
    return Pair((left, right), (left_line, right_line))


def add_compare(first: Source, second: Source, paths: Sequence[str], folder: Path) -> None:
    """Build the tab, inside of the page that is being built.

    Args:
        first: shown on the left.
        second: shown on the right.
        paths: test pictures to choose from; there may be none.
        folder: where uploads are.
    """
    import gradio as gr

    uploads = Uploads(folder)
    gr.HTML(line(f"Left: {first.name}. Right: {second.name}."))
    with gr.Row():
        names = [(printable(f"{number}. {Path(path).name}"), path) for number, path in enumerate(paths, 1)]
        chosen = gr.Dropdown(
            names,
            value=None,
            label="Test picture",
            visible=bool(paths),
            elem_id="pair_choice",
            scale=2,
            filterable=True,
        )
        divider = gr.Slider(0, 100, 50, step=1, label="Divider in percent", elem_id="divider")
    told = gr.HTML(line(WAITING), elem_id="pair_line")
    with gr.Row():
        both = gr.ImageSlider(
            label=f"{first.name} | {second.name}",
            interactive=False,
            format="jpeg",
            elem_id="pair",
            max_height=600,
            min_width=280,
            scale=2,
        )
        photo = gr.Image(
            label="Another photo",
            sources=SOURCES,
            type="filepath",
            image_mode=None,
            height=300,
            min_width=280,
            elem_id="pair_photo",
        )

    def shown_by(pair: Pair | None, reason: str | None) -> list[Any]:
        if pair is None:
            return [None, line(reason or WAITING, is_wrong=reason is not None)]
        return [pair.pictures, "".join(map(line, pair.lines))]

    def of_test(path: str | None) -> list[Any]:
        if path is None or path not in paths:
            return shown_by(None, None)
        try:
            return shown_by(pair_of(first, second, path), None)
        # Whatever has become of the file is told on the page.
        except Exception as error:
            return shown_by(None, why_not(error, path, path))

    def of_upload(given: Any) -> list[Any]:
        if not given:
            return [gr.skip()] * 3
        pair, reason, is_kept = uploads.use(given, lambda path, name: pair_of(first, second, path, name))
        return [*shown_by(pair, reason), gr.skip() if is_kept else None]

    asking: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "model", "api_visibility": "private"}
    chosen.input(of_test, [chosen], [both, told], **asking)
    photo.change(of_upload, [photo], [both, told, photo], preprocess=False, **asking)
    divider.input(
        lambda percent: gr.ImageSlider(slider_position=percent),
        [divider],
        [both],
        api_visibility="private",
        queue=False,
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
