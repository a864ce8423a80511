"""The tab Look: the run's test pictures, what was taken for what, its curves, and what it saw in training."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from PIL import Image

from lightning_seg.app import look_markup
from lightning_seg.app.answers import why_not
from lightning_seg.app.markup import line
from lightning_seg.app.pictures import EVERY_CLASS, PER_PAGE, about, list_of, name_of, pages_of, thumbnail, view_of
from lightning_seg.app.sources import Source
from lightning_seg.app.truths import Truths
from lightning_seg.report.command_lines import test_line
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import Content
from lightning_seg.report.galleries import usual_order
from lightning_seg.report.metrics import class_tables, metrics_table
from lightning_seg.report.overview import summary_table
from lightning_seg.report.tested import ORDERS, PictureResult, orders_of

CHOOSE = "Choose a picture above to see it beside what is true."
Preview = Callable[[int], Image.Image]
"""The training pictures as the network sees them in an epoch, from 0."""


class Shown(NamedTuple):
    """What Look is about."""

    content: Content
    truths: Truths
    preview: Preview


def add_look(source: Source, shown: Shown) -> None:
    """Build the tab, inside of the page that is being built."""
    import gradio as gr

    confusion = Confusion.of(shown.content.tested, shown.content.class_names)
    with gr.Tabs():
        with gr.Tab("Pictures", id="tested"):
            _add_tested(source, shown)
        if confusion is not None:
            with gr.Tab("Confusion", id="confusion"):
                _add_confusion(source, shown, confusion)
        elif shown.content.pixels is not None:
            with gr.Tab("Confusion", id="confusion"):
                gr.HTML(look_markup.confused_pixels(shown.content.pixels), elem_id="pixels")
        with gr.Tab("Numbers", id="numbers"):
            gr.HTML(numbers_of(shown.content), elem_id="numbers")
        with gr.Tab("Training", id="training"):
            _add_training(shown)


def numbers_of(content: Content) -> str:
    """Summary, curves, metrics, classes."""
    tables = [summary_table(content), metrics_table(content), *class_tables(content)]
    first, *others = [look_markup.table(one) for one in tables if one is not None]
    problems = [line(problem, is_wrong=True) for problem in content.problems]
    return "".join([*problems, first, look_markup.curves(content), *others])


def _add_tested(source: Source, shown: Shown) -> None:
    import gradio as gr

    tested = shown.content.tested
    orders = [ORDERS[order] for order in orders_of(tested)]
    if not orders:
        gr.HTML(line(f"The run was not tested. {test_line(shown.content).line} writes what is shown here."))
        return
    names = [name for name in shown.content.class_names if any(one.has(name) for one in tested)]
    with gr.Row():
        order = gr.Radio(orders, value=ORDERS[usual_order(tested)], label="Worst first", min_width=120, elem_id="order")
        of_class = gr.Dropdown(
            [EVERY_CLASS, *names],
            value=EVERY_CLASS,
            label="Class",
            filterable=len(names) > 12,
            min_width=120,
            visible=bool(names),
        )
    with gr.Row():
        best = gr.Checkbox(False, label="Best first", min_width=120)
        pages = pages_of(len(tested))
        page = gr.Slider(1, max(2, pages), 1, step=1, label="Page", min_width=120, visible=pages > 1)

    def choose(by: str, name: str, is_best: bool, number: int) -> list[PictureResult]:
        return list_of(tested, by, name, is_best, int(number))[0]

    results, gallery = _add_list(source, shown, choose(orders[0], EVERY_CLASS, False, 1), "tested")
    inputs = [order, of_class, best, page]

    def refresh(*values: Any) -> list[Any]:
        found = choose(*values)
        return [found, _listed(shown, found)]

    quiet: dict[str, Any] = {
        "api_visibility": "private",
        "show_progress": "minimal",
        "trigger_mode": "always_last",
    }
    gr.on([order.input, of_class.input, best.input, page.input], refresh, inputs, [results, gallery], **quiet)


def _add_list(source: Source, shown: Shown, first: Sequence[PictureResult], name: str) -> tuple[Any, Any]:
    """Small pictures, and below the one that is chosen; returns the list's state and its buttons."""
    import gradio as gr

    results = gr.State(list(first))
    gallery = gr.HTML(_listed(shown, first) if first else "", js_on_load=look_markup.CHOOSING, elem_id=f"{name}_list")
    told = gr.HTML(line(CHOOSE), elem_id=f"{name}_line")
    with gr.Row(elem_classes="side_by_side"):
        sides = [
            gr.Image(
                label=label,
                visible=label == "Picture",
                interactive=False,
                format="jpeg",
                height=260,
                min_width=200,
                buttons=["fullscreen"],
                alt_text=label,
                elem_id=f"{name}_{label.lower()}",
            )
            for label in ("Picture", "Truth", "Prediction", "Difference")
        ]

    def look(found: list[PictureResult], event: gr.EventData) -> list[Any]:
        said, pictures = look_at(source, shown.truths, found[event.index])
        return [said, *(gr.Image(value=one, visible=one is not None) for one in pictures)]

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    gallery.select(look, [results], [told, *sides], concurrency_limit=1, concurrency_id="model", **quiet)
    return results, gallery


def look_at(source: Source, truths: Truths, result: PictureResult) -> tuple[str, list[Image.Image | None]]:
    """The line about a test picture and what stands below it; the reason, if it cannot be shown."""
    try:
        view = view_of(source, truths, result)
    # Whatever has become of its files is told on the page.
    except Exception as error:
        return line(why_not(error, result.path, result.path), is_wrong=True), [None] * 4
    return line(view.line), [view.picture, view.truth, view.prediction, view.difference]


def _listed(shown: Shown, found: Sequence[PictureResult]) -> str:
    return look_markup.pictures([(thumbnail(shown.truths, one.path), name_of(one), about(one)) for one in found])


def _add_confusion(source: Source, shown: Shown, confusion: Confusion) -> None:
    import gradio as gr

    matrix = gr.HTML(look_markup.confusion(confusion), js_on_load=look_markup.CHOOSING, elem_id="matrix")
    told = gr.HTML(line("Press a number to see its pictures."), elem_id="cell")
    results, gallery = _add_list(source, shown, (), "cell")

    def show(event: gr.EventData) -> list[Any]:
        words, found = behind(confusion, event.index)
        return [line(words), found, _listed(shown, found)]

    matrix.select(show, None, [told, results, gallery], api_visibility="private", show_progress="minimal")


def behind(confusion: Confusion, place: Sequence[int]) -> tuple[str, list[PictureResult]]:
    """What a cell holds, in words, and its pictures, the surest first."""
    true, predicted = (confusion.class_names[number] for number in place)
    found = list(confusion.behind(true, predicted))
    first = found[:PER_PAGE]
    rest = f", the {PER_PAGE} surest" if len(found) > PER_PAGE else ""
    return f"{len(found)} of {true} taken for {predicted}{rest}", first


def _add_training(shown: Shown) -> None:
    import gradio as gr

    gr.HTML('<p class="note">Training pictures with their random draws, as the network sees them.</p>')
    with gr.Row():
        epoch = gr.Slider(1, 20, 1, step=1, label="Epoch")
        button = gr.Button("Draw training pictures", size="sm", elem_id="draw")
    told = gr.HTML(line(""), elem_id="training_line")
    sheet = gr.Image(
        label="Training pictures",
        show_label=False,
        interactive=False,
        format="jpeg",
        buttons=["fullscreen"],
        alt_text="training pictures",
        elem_id="sheet",
    )

    def draw(number: float) -> list[Any]:
        try:
            return [shown.preview(int(number) - 1), line(f"The draws of epoch {number:g}")]
        except Exception as error:
            return [None, line(why_not(error, "", ""), is_wrong=True)]

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    gr.on(
        [button.click, epoch.input],
        draw,
        [epoch],
        [sheet, told],
        concurrency_limit=1,
        trigger_mode="always_last",
        **quiet,
    )
