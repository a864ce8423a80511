"""All that a run has to show as one page, which needs no server, no network and no scripts."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from lightning_seg.errors import DataError
from lightning_seg.files import replace_text
from lightning_seg.pages.embedding import Embedded, embedded
from lightning_seg.pages.rendering import Chart, render_page
from lightning_seg.plots.difference import WRONG
from lightning_seg.plots.palette import background_of
from lightning_seg.report.command_lines import command_lines, test_line
from lightning_seg.report.compared import comparison_tables
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import Content
from lightning_seg.report.figures import MOST, confusion_svg, curve_quantities, curves_svg, pixels_svg
from lightning_seg.report.galleries import Gallery
from lightning_seg.report.looking import SIDE, TRUE, Look, Panel, name_below
from lightning_seg.report.metrics import class_colours, class_tables, metrics_table, spoken
from lightning_seg.report.overview import SplitSize, data_table, splits_table, summary_table, versions_table
from lightning_seg.report.pixels import PixelConfusion
from lightning_seg.report.records import Table, table_of
from lightning_seg.report.tested import PictureResult

ROOM = 1_700_000
"""Bytes of all pictures together before they are written as text, which makes them a third longer."""
MISTAKES = 12
MANY_CLASSES = 40
"""From this number of classes on a legend says less than it takes room."""
NEVER_TESTED = "The run was never tested, so it has no test pictures to show; this measures it: "
NO_TABLE = "There is no table of test pictures; where every picture has a score, this writes it: "
ABOUT_CELLS = "Rows are true classes, columns predicted ones; a cell is the stronger, the larger its share of the row."


class Seen(NamedTuple):
    """What was seen with the dataset and the network at hand."""

    galleries: tuple[Gallery, ...] = ()
    sizes: tuple[SplitSize, ...] = ()
    notes: tuple[str, ...] = ()  # why there is no more


class Section(NamedTuple):
    """A part of the page under a heading."""

    title: str
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    notes: Sequence[str] = ()
    galleries: Sequence[dict[str, Any]] = ()
    legend: Sequence[tuple[str, str]] = ()  # names and colours
    commands: Sequence[tuple[str, str]] = ()  # purposes and lines

    @property
    def name(self) -> str:
        """For links to it."""
        return self.title.lower().replace(" ", "-")

    @property
    def is_empty(self) -> bool:
        return not any(self[1:])


def write_report(path: Path, content: Content, seen: Seen) -> int:
    """Write the page, completely or not at all.

    Returns:
        Its size in bytes.
    """
    replace_text(path, render(content, seen))
    return path.stat().st_size


def render(content: Content, seen: Seen = Seen()) -> str:  # noqa: B008, a tuple never changes
    """The page."""
    compared, problems = _compared(content)
    sections = [
        Section("Overview", [summary_table(content), *_there(metrics_table(content)), *compared]),
        Section("Curves", charts=_curves(content)),
        _classes(content),
        _pictures(content, seen),
        _confusions(content),
        Section("Data", [*_there(splits_table(content, seen.sizes)), *_there(data_table(content))]),
        Section("Commands", commands=command_lines(content)),
        Section("Versions", _there(versions_table(content))),
    ]
    return render_page(
        "lightning_seg.report",
        "report.html",
        title=f"Run {content.name}",
        made=f"written on {datetime.now():%Y-%m-%d %H:%M}",
        problems=[*content.problems, *problems],
        widest=max(
            [len(look["panels"]) for one in sections for shown in one.galleries for look in shown["looks"]] or [1]
        ),
        sections=[section for section in sections if not section.is_empty],
    )


def _compared(content: Content) -> tuple[list[Table], list[str]]:
    try:
        return comparison_tables(content.folder), []
    except DataError as error:
        return [], [str(error)]


def _there(table: Table | None) -> list[Table]:
    return [] if table is None else [table]


def _curves(content: Content) -> list[Chart]:
    return [
        Chart(f"{spoken(quantity)} of training and validation, epoch by epoch", curves_svg(content, quantity))
        for quantity in curve_quantities(content)[:MOST]
    ]


def _classes(content: Content) -> Section:
    return Section("Classes", class_tables(content))


def _pictures(content: Content, seen: Seen) -> Section:
    is_tested = any(name.startswith(("test/", "test_full/")) for name in content.numbers)
    never = () if content.tested else (f"{NO_TABLE if is_tested else NEVER_TESTED}{test_line(content).line}",)
    number = sum(len(look.panels) for gallery in seen.galleries for look in gallery.looks)
    room, root = ROOM // max(1, number), str(content.arguments.get("data.root") or "")
    shown = [
        {
            "title": gallery.title,
            "notes": gallery.notes,
            "looks": [_shown(look, root, room) for look in gallery.looks],
        }
        for gallery in seen.galleries
    ]
    return Section("Test pictures", notes=(*never, *seen.notes), galleries=shown, legend=_legend(content, seen))


def _legend(content: Content, seen: Seen) -> list[tuple[str, str]]:
    """What colours mean: of masks the classes, of boxes what is true and what is predicted."""
    whats = {panel.what for gallery in seen.galleries for look in gallery.looks for panel in look.panels}
    if "prediction" not in whats:
        return []
    if content.labels_pictures:
        return [("true", _hex(TRUE)), ("predicted", _hex(WRONG))]
    wrong = [("wrong, in the difference", _hex(WRONG)), ("not counted", "#ffffff")] if "difference" in whats else []
    named = zip(content.class_names, class_colours(content.class_names), strict=True)
    # Which is not tinted.
    background = background_of(content.class_names)
    classes = [one for index, one in enumerate(named) if index != background]
    return [*(classes if len(content.class_names) <= MANY_CLASSES else ()), *wrong]


def _hex(colour: Sequence[int]) -> str:
    return f"#{bytes(colour).hex()}"


def _shown(look: Look, root: str, room: int) -> dict[str, Any]:
    return {
        "name": name_below(look.result.path, root),
        "lines": list(_lines(look)),
        "panels": [(panel.what, _embedded(panel, room), panel.reason) for panel in look.panels],
    }


def _embedded(panel: Panel, room: int) -> Embedded | None:
    return None if panel.pixels is None else embedded(panel.pixels, SIDE, room)


def _lines(look: Look) -> Iterator[str]:
    """What is known of a picture, a few words each."""
    result = look.result
    true = result.truth or ", ".join(look.true_classes)
    if true:
        yield f"true: {true}"
    if result.prediction:
        sure = "" if result.probability is None else f" ({result.probability:.2f})"
        yield f"predicted: {result.prediction}{sure}"
    if numbers := ", ".join(_numbers(result)):
        yield numbers
    if look.says:
        yield f"now: {look.says}"


def _numbers(result: PictureResult) -> Iterator[str]:
    if result.score is not None and not (result.is_labelled and result.prediction):
        yield f"{result.quantity or 'score'} {result.score:.3f}"
    if result.loss is not None:
        yield f"loss {result.loss:.3g}"


def _confusions(content: Content) -> Section:
    confusion = Confusion.of(content.tested, content.class_names)
    if confusion is None:
        return Section("Confusions") if content.pixels is None else _confused_pixels(content.pixels)
    most = confusion.mistakes[:MISTAKES]
    rows = [(f"{true} as {taken}", count, len(confusion.behind(true, true))) for true, taken, count in most]
    heads = ("true as predicted", "pictures", "of this class right")
    tables = [table_of("Most frequent mistakes", heads, rows)] if rows else []
    right = sum(len(confusion.behind(name, name)) for name in confusion.class_names)
    total = sum(map(sum, confusion.counts))
    caption = f"test pictures by true and predicted class: {right:,} of {total:,} right. {ABOUT_CELLS}"
    return Section("Confusions", tables, [Chart(caption, confusion_svg(confusion))])


def _confused_pixels(pixels: PixelConfusion) -> Section:
    most = pixels.mistakes[:MISTAKES]
    rows = [(f"{true} as {taken}", count, f"{share:.2%}") for true, taken, count, share in most]
    heads = ("true as predicted", "pixels", "share of this class")
    tables = [table_of("Most frequent mistakes", heads, rows)] if rows else []
    caption = (
        f"test pixels by true and predicted class, in percent of the row: {pixels.right / max(1, pixels.total):.1%} of "
        f"{pixels.total:,} right. {ABOUT_CELLS}"
    )
    return Section("Confusions", tables, [Chart(caption, pixels_svg(pixels))])
