"""The measured numbers of a run: by split, and by class."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_seg.plots.palette import palette_of
from lightning_seg.plots.quantities import spoken as spoken  # its former place
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import Content
from lightning_seg.report.records import NO_NUMBER, Table, table_of
from lightning_seg.report.tested import PictureResult

SPLITS: Mapping[str, str] = {
    "train": "training",
    "val": "validation",
    "test": "test",
    "val_full": "validation, at the original size",
    "test_full": "test, at the original size",
}
"""The beginnings of metrics, and what they are of."""
MEASURED = ("test", "test_full", "val", "val_full")
ABOUT_LABELS = (
    "Recall is the share of a class's pictures that were found, precision the share of the found ones that are right."
)
ABOUT_PRESENCE = (
    "Missed: pictures of which a class is part, and of the prediction it is not. Invented: the other way round."
)


def metrics_table(content: Content) -> Table | None:
    """A row per quantity, a column per split; None if nothing was measured."""
    values: dict[str, dict[str, Any]] = {}
    for split, name, value in _measured(content.numbers):
        if not _class_of(name, content.class_names):
            values.setdefault(name, {})[split] = NO_NUMBER if value is None else value
    splits = [split for split in SPLITS if any(split in row for row in values.values())]
    rows = [[spoken(name), *(row.get(split) for split in splits)] for name, row in values.items()]
    heads = ["metric", *(SPLITS[split] for split in splits)]
    return table_of("Metrics", heads, rows) if rows else None


def class_tables(content: Content) -> list[Table]:
    """A row per class: of labels from the test pictures, of masks and boxes from the metrics of the test.

    Without a test, those of validation.
    """
    confusion = Confusion.of(content.tested, content.class_names)
    tables = [_table_of_labels(confusion)] if confusion is not None else []
    measured = {split for split, name, _ in _measured(content.numbers) if _class_of(name, content.class_names)}
    tested = [split for split in MEASURED[:2] if split in measured]
    chosen = tested or [split for split in MEASURED[2:] if split in measured]
    return [*tables, *(_table_of_metrics(content, split) for split in chosen)]


def class_colours(class_names: Sequence[str]) -> tuple[str, ...]:
    """As masks and boxes are drawn, #rrggbb."""
    return tuple(f"#{bytes(colour).hex()}" for colour in palette_of(class_names)[: len(class_names)])


def _measured(numbers: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Split, name behind it, value; of strange files also values that are no numbers."""
    for key, value in numbers.items():
        split, _, name = key.partition("/")
        if split in SPLITS and name:
            yield split, name, value


def _class_of(name: str, class_names: Sequence[str]) -> str:
    """The class of a metric such as ``iou/border``; empty if it is of all."""
    _, _, last = name.partition("/")
    return last if last in class_names else ""


def _table_of_metrics(content: Content, split: str) -> Table:
    values: dict[str, dict[str, Any]] = {}
    for of_split, name, value in _measured(content.numbers):
        if of_split == split and (class_name := _class_of(name, content.class_names)):
            values.setdefault(name.partition("/")[0], {})[class_name] = NO_NUMBER if value is None else value
    present = [name for name in content.class_names if any(name in column for column in values.values())]
    counted = _presence(content.tested, present) if split == "test" else {}
    rows = [[name, *(column.get(name) for column in values.values()), *counted.get(name, ())] for name in present]
    heads = ["class", *map(spoken, values), *(("in pictures", "missed", "invented") if counted else ())]
    colours = dict(zip(content.class_names, class_colours(content.class_names), strict=True))
    # What detectors report, and colour, are their labels, which may be others than their classes.
    of_masks = any("iou" in quantity for quantity in values)
    return table_of(
        f"Classes, {SPLITS[split]}",
        heads,
        rows,
        colours=tuple(colours[name] for name in present if of_masks),
        notes=(ABOUT_PRESENCE,) if counted else (),
    )


def _presence(pictures: Sequence[PictureResult], class_names: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Of masks: in how many pictures a class is true, of these not predicted, and predicted without being true."""
    told = [one for one in pictures if not one.is_labelled and (one.truth or one.prediction)]
    return {
        name: (
            sum(name in one.true_classes for one in told),
            sum(name in one.true_classes and name not in one.predicted_classes for one in told),
            sum(name in one.wrong_classes for one in told),
        )
        for name in (class_names if told else ())
    }


def _table_of_labels(confusion: Confusion) -> Table:
    rows = [_row_of_label(confusion, name) for name in confusion.class_names]
    heads = ["class", "test pictures", "recall", "precision", "F1", "most often taken for"]
    return table_of("Classes, test", heads, rows, notes=(ABOUT_LABELS,))


def _row_of_label(confusion: Confusion, name: str) -> list[Any]:
    right = len(confusion.behind(name, name))
    true = sum(len(confusion.behind(name, other)) for other in confusion.class_names)
    found = sum(len(confusion.behind(other, name)) for other in confusion.class_names)
    taken = next((f"{other} ({count})" for one, other, count in confusion.mistakes if one == name), None)
    f1 = 2 * right / (true + found) if true + found else None
    return [name, true, right / true if true else None, right / found if found else None, f1, taken]
