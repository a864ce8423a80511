"""The tab Try: a photo goes in, and what the model says to it comes out."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from lightning_seg.app.answers import Answer, Files, answer, draw, summary_of, write_files
from lightning_seg.app.controls import Control, chosen
from lightning_seg.app.markup import line
from lightning_seg.app.sources import Source
from lightning_seg.app.theme import LEGEND
from lightning_seg.app.uploads import SOURCES, Uploads
from lightning_seg.plots.palette import background_of

KEPT = 8
"""Folders of files for download that stay until newer ones come; the library has copied those that are shown."""
WAITING = "Give a photo: drop it, paste it, choose a file, or use the camera."
DOWNLOADS = "downloads"


class Outcome(NamedTuple):
    """What the page shows after a question."""

    answer: Answer | None
    line: str
    files: Files | None = None
    is_refused: bool = False  # the upload is removed

    @property
    def probs(self) -> dict[str, float] | None:
        """Of a classifier."""
        return getattr(self.answer.said, "probs", None) if self.answer else None


class Desk:
    """Answers photos that were uploaded into ``folder``, and keeps nothing that it could not read."""

    def __init__(self, source: Source, folder: Path) -> None:
        self.source, self.folder, self.uploads = source, folder, Uploads(folder)

    def ask(self, photo: Any, opacity: float, shown: Sequence[str] | None, values: Sequence[Any]) -> Outcome:
        """The answer to an upload.

        Args:
            photo: see ``Uploads.use``.
            opacity: of masks, in percent.
            shown: names of the classes to show; None shows all.
            values: what the controls show, in the order of ``source.controls``.
        """

        def work(path: Path, name: str) -> Answer:
            return answer(self.source, path, chosen(self.source.controls, values), name)

        said, reason, is_kept = self.uploads.use(photo, work)
        if reason is not None:
            return Outcome(None, line(reason, is_wrong=True), is_refused=not is_kept)
        return self.show(said, opacity, shown)

    def show(self, said: Answer | None, opacity: float, shown: Sequence[str] | None) -> Outcome:
        """The same answer with other classes or at another opacity."""
        if said is None:
            return Outcome(None, line(WAITING))
        files = write_files(said, self._new_folder(), draw(said.said, shown, opacity / 100))
        return Outcome(said, line(summary_of(said)), files)

    def _new_folder(self) -> Path:
        place = self.folder / DOWNLOADS
        place.mkdir(exist_ok=True)
        for old in sorted(place.iterdir(), key=lambda one: one.stat().st_mtime)[: -KEPT + 1]:
            shutil.rmtree(old, ignore_errors=True)
        return Path(mkdtemp(dir=place))


def add_try(source: Source, folder: Path) -> None:
    """Build the tab, inside of the page that is being built."""
    import gradio as gr

    desk, masks = Desk(source, folder), source.kind == "masks"
    state = gr.State(None, time_to_live=3600)
    with gr.Row():
        with gr.Column():
            photo = gr.Image(
                label="Photo", sources=SOURCES, type="filepath", image_mode=None, height=340, elem_id="photo"
            )
            controls = [add_control(control) for control in source.controls]
        with gr.Column():
            said = gr.Image(
                label="Answer",
                interactive=False,
                height=340,
                elem_id="answer",
                buttons=["fullscreen"],
                alt_text="answer",
            )
            told = gr.HTML(line(WAITING), elem_id="told")
            probs = gr.Label(label="Probabilities", num_top_classes=5, visible=source.kind == "labels")
            opacity = gr.Slider(0, 100, 50, step=1, label="Opacity in percent", visible=masks, elem_id="opacity")
            names = list(source.found_names)
            legend = gr.CheckboxGroup(
                names,
                # As everywhere, the background is tinted when it is asked for.
                value=names if source.kind == "boxes" else [name for name in names if background_of([name]) is None],
                label="Classes",
                visible=source.kind != "labels",
                elem_id=LEGEND,
            )
            with gr.Row(visible=source.kind != "labels"):
                every = [gr.Button(f"{words} all classes", size="sm", min_width=120) for words in ("Show", "Hide")]
            with gr.Row():
                files = [
                    gr.DownloadButton(
                        f"Download {name}", size="sm", min_width=120, interactive=False, visible=is_there, elem_id=name
                    )
                    for name, is_there in (("overlay", not probs.visible), ("mask", masks), ("JSON", True))
                ]

    def shown_by(outcome: Outcome) -> list[Any]:
        paths = [None, None, None] if outcome.files is None else [one and str(one) for one in outcome.files]
        buttons = [gr.DownloadButton(value=path, interactive=path is not None) for path in paths]
        return [outcome.answer, paths[0], outcome.line, outcome.probs, *buttons]

    def ask(given: Any, percent: float, classes: list[str], *values: Any) -> list[Any]:
        if not given:
            # It was taken away, or refused, and what was said of it stays.
            return [gr.skip()] * len(asked)
        outcome = desk.ask(given, percent, classes, values)
        return [*shown_by(outcome), None if outcome.is_refused else gr.skip()]

    def show(answered: Answer | None, percent: float, classes: list[str]) -> list[Any]:
        # Why there is no answer stays.
        return [gr.skip()] * len(outputs) if answered is None else shown_by(desk.show(answered, percent, classes))

    outputs = [state, said, told, probs, *files]
    # The library would decode the photo itself, and say in its own words what is wrong with it.
    asking: dict[str, Any] = {"preprocess": False, "concurrency_limit": 1, "concurrency_id": "model"}
    # While a slider moves there are more events than answers; the last one counts.
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal", "trigger_mode": "always_last"}
    inputs, asked = [photo, opacity, legend, *controls], [*outputs, photo]
    # A camera's photo is a change, and no input.
    gr.on([photo.change, *(control.input for control in controls)], ask, inputs, asked, **asking, **quiet)
    photo.clear(lambda: shown_by(desk.show(None, 0, None)), None, outputs, **quiet)
    for event in (opacity.input, legend.input):
        event(show, [state, opacity, legend], outputs, **quiet)
    for button, classes in zip(every, (names, []), strict=True):
        choose = partial(_choose, show, classes)
        button.click(choose, [state, opacity], [legend, *outputs], **quiet)


def _choose(show: Callable[..., list[Any]], classes: list[str], answered: Answer | None, percent: float) -> list[Any]:
    return [classes, *show(answered, percent, classes)]


def add_control(control: Control) -> Any:
    """The control of a setting: a slider, names to choose from, or numbers to tick."""
    import gradio as gr

    told: Mapping[str, Any] = {"label": control.title, "info": control.help, "value": control.shown}
    if control.choices:
        return gr.Dropdown(list(control.choices), filterable=False, **told)
    if control.is_many:
        return gr.CheckboxGroup(control.options, **told)
    assert control.span is not None
    return gr.Slider(control.span.least, control.span.most, step=control.span.step, **told)
