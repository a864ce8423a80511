"""The run in a few lines: what was trained for how long, on which data, by which versions."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from lightning_seg.files import digest_of
from lightning_seg.report.contents import Content
from lightning_seg.report.metrics import spoken
from lightning_seg.report.records import NO_NUMBER, Table, table_of
from lightning_seg.run_files import (
    BEST,
    STOPPED_EARLY,
    MeasuredCheckpoint,
    epochs_of,
    is_lowest_best,
    monitor_of,
    tested_checkpoint_of,
)

VERSION = "version/"
LEFT_OUT = "left_out/"


class SplitSize(NamedTuple):
    """How many pictures a split has."""

    split: str
    pictures: int
    groups: int | None  # of pictures that belong together; None where there are no groups


def summary_table(content: Content) -> Table:
    """What was trained, for how long, how good it became, and which checkpoint was tested."""
    return table_of("Summary", ("what", "value"), _summary(content), notes=tuple(_changed_since(content)))


def _summary(content: Content) -> Iterator[tuple[str, Any]]:
    arguments = content.arguments
    yield "run", str(content.folder)
    for what in ("model", "data"):
        if path := arguments.get(f"{what}.class_path"):
            yield {"model": "task", "data": "dataset"}[what], str(path).rpartition(".")[2]
    if content.class_names:
        yield "classes", len(content.class_names)
    yield "epochs", _epochs(content)
    yield from _scores(content)
    for split, tested in _tested(content):
        yield f"{_SPOKEN[split]} measured", str(tested)
    yield from _costs(content.numbers)


_SPOKEN = {"test": "test", "test_full": "test at the original size"}


def _tested(content: Content) -> Iterator[tuple[str, MeasuredCheckpoint]]:
    for split in _SPOKEN:
        if (tested := tested_checkpoint_of(content.numbers, split)) is not None:
            yield split, tested


def _changed_since(content: Content) -> Iterator[str]:
    """The network that the page applies is the best checkpoint, and the numbers may be of another one."""
    best = content.folder / "checkpoints" / "best.ckpt"
    if not best.is_file() or not (told := list(_tested(content))):
        return
    digest = digest_of(best)
    for split, tested in told:
        if tested.is_another(digest):
            yield (
                f"The numbers of the {_SPOKEN[split]} are of {tested}, and not of best.ckpt as it is now: test --run "
                "measures it."
            )


def _scores(content: Content) -> Iterator[tuple[str, Any]]:
    """Of the metric that has chosen the best checkpoint."""
    monitor, numbers = monitor_of(content.numbers), content.numbers
    if monitor is not None:
        yield f"best {_of_split(monitor)}", _best(content, monitor)
        if (name := monitor.replace("val/", "test/", 1)) in numbers:
            yield _of_split(name), NO_NUMBER if numbers[name] is None else numbers[name]


def _costs(numbers: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, what in (("parameters", "parameters"), ("trainable_parameters", "of these trained")):
        if key in numbers:
            yield what, numbers[key]
    if isinstance(seconds := numbers.get("seconds_per_epoch"), int | float):
        yield "seconds per epoch", f"{seconds:,.1f}"
    if isinstance(share := numbers.get("data_wait_share"), int | float):
        yield "share of time waiting for pictures", f"{share:.0%}"


def _epochs(content: Content) -> str:
    done, asked = epochs_of(content.numbers, content.curves), content.arguments.get("trainer.max_epochs")
    if not isinstance(asked, int) or asked <= 0 or asked == done:
        return f"{done:,}"
    stopped = content.numbers.get(STOPPED_EARLY)
    why = ", stopped early" if isinstance(stopped, int) and done <= stopped else ""
    return f"{done:,} of {asked:,}{why}"


def _best(content: Content, monitor: str) -> Any:
    value = content.numbers.get(f"{BEST}{monitor}")
    if not isinstance(value, int | float):
        return NO_NUMBER
    curve = {epoch: one for epoch, one in content.curves.get(monitor, {}).items() if isfinite(one)}
    if not curve:
        return value
    lowest = is_lowest_best(content.numbers, content.curves)
    # Counted from one: the value after that many epochs.
    epoch = 1 + (min if lowest else max)(curve, key=lambda one: curve[one])
    return f"{value:.4f}, after epoch {epoch}"


def _of_split(metric: str) -> str:
    """``val/miou`` as ``mean IoU of validation``."""
    split, _, quantity = metric.partition("/")
    return f"{spoken(quantity)} of {'validation' if split == 'val' else split}"


def splits_table(content: Content, sizes: Sequence[SplitSize] = ()) -> Table | None:
    """Pictures and groups of each split; without the dataset those of the test, if there was one."""
    sizes = sizes or _tested_sizes(content)
    has_groups = any(size.groups is not None for size in sizes)
    rows = [[*size[:2], size.groups] if has_groups else size[:2] for size in sizes]
    left_out = [
        f"{value:,} {name.removeprefix(LEFT_OUT)} pictures were left out."
        for name, value in content.numbers.items()
        if name.startswith(LEFT_OUT) and isinstance(value, int) and value
    ]
    heads = ("split", "pictures", "groups")[: 3 if has_groups else 2]
    return table_of("Splits", heads, rows, notes=tuple(left_out)) if rows or left_out else None


def _tested_sizes(content: Content) -> list[SplitSize]:
    groups = {picture.group for picture in content.tested if picture.group}
    return [SplitSize("test", len(content.tested), len(groups) or None)] if content.tested else []


def data_table(content: Content) -> Table | None:
    """The arguments of the dataset, and both seeds; None if the config does not tell them."""
    rows = [
        (name.removeprefix("data."), value)
        for name, value in content.arguments.items()
        if name.startswith("data.") and value is not None and not isinstance(value, dict)
    ]
    seed = content.arguments.get("seed_everything")
    rows += [("seed of weights and training", seed)] if seed is not None else []
    return table_of("Data", ("argument", "value"), [(name, _plain(value)) for name, value in rows]) if rows else None


def _plain(value: Any) -> str:
    """An argument, without thousands apart: it is typed so."""
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def versions_table(content: Content) -> Table | None:
    """The libraries that the run was trained with; None if it was not recorded."""
    rows = [(name.removeprefix(VERSION), value) for name, value in content.numbers.items() if name.startswith(VERSION)]
    return table_of("Versions", ("library", "version"), rows) if rows else None
