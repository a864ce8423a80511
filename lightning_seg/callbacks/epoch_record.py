"""The record of an epoch in its checkpoint, so that a continued run has the right numbers.

Lightning writes the last row of an epoch after the checkpoint, and ``metrics.json`` follows when the next epoch begins.
A process that ends in between leaves a checkpoint without its numbers, or rows of an epoch that is trained again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytorch_lightning as pl

from lightning_seg.callbacks.csv_logger import changing_results
from lightning_seg.json_files import write_json
from lightning_seg.plots.curves import draw_curves
from lightning_seg.plots.figures import save_plot
from lightning_seg.plots.formats import PNG, Formats
from lightning_seg.run_files import LOSS, METRICS_FILE, RECORD_FILE, read_curves, read_record
from lightning_seg.tables import read_fields, read_rows, write_rows

SPLITS = {"train", "val", "test", "val_full", "test_full"}

EpochRecord: TypeAlias = dict[str, Any]
"""Plain values: ``next_step`` that a row can have, ``row`` that Lightning is about to write, ``numbers`` for
``metrics.json``, ``curves`` to draw, splits ``to_come`` that are still to be measured after the step before.
"""


def has_ended(trainer: pl.Trainer) -> bool:
    """Whether an epoch has just ended, as when Lightning saves checkpoints after it."""
    return epochs_trained(trainer) > trainer.fit_loop.epoch_progress.current.completed


def epochs_trained(trainer: pl.Trainer) -> int:
    """One more than Lightning has completed if an epoch has just ended."""
    progress: Any = trainer.fit_loop.epoch_progress.current
    trained: int = progress.processed
    return trained


def remember(trainer: pl.Trainer, numbers: Mapping[str, Any], curves: tuple[str, ...]) -> EpochRecord:
    """The record of an epoch that has just ended. All processes have to call it."""
    step = trainer.fit_loop.epoch_loop._batches_that_stepped
    # What Lightning logs next.
    row = {name: float(value) for name, value in trainer._logger_connector.metrics["log"].items()}
    return {
        "next_step": step,
        "row": {**row, "epoch": trainer.current_epoch, "step": step - 1} if row else {},
        "numbers": dict(numbers),
        "curves": list(curves),
    }


def complete(folder: Path, record: EpochRecord, formats: Formats = PNG) -> bool:
    """Bring the results of a run to the state of its checkpoint: later rows are removed, since they will come again.

    Returns:
        Whether the epoch's last row was missing.
    """
    missing = _complete_table(folder, record)
    add_numbers(folder, record["numbers"])
    draw(folder, record["curves"], formats)
    return missing


def _complete_table(folder: Path, record: EpochRecord) -> bool:
    """Without loggers there is none, and no row is missing."""
    path = folder / METRICS_FILE
    if not path.is_file():
        return False
    with changing_results(folder):
        fields, rows = read_fields(path), read_rows(path)
        kept: list[Mapping[str, Any]] = [row for row in rows if not _comes_again(row, record)]
        missing = bool(record["row"]) and not _holds(rows, record["row"])
        if missing:
            kept.append(record["row"])
        if missing or len(kept) < len(rows):
            write_rows(path, sorted({*fields, *record["row"]}), kept)
    return missing


def add_numbers(folder: Path, values: Mapping[str, Any]) -> None:
    """Add numbers to ``metrics.json``."""
    # A class that no longer occurs must not keep its old value beside new means.
    measured = {name.partition("/")[0] for name in values} & SPLITS
    with changing_results(folder):
        known = read_record(folder)
        known = {name: value for name, value in known.items() if name.partition("/")[0] not in measured}
        write_json(folder / RECORD_FILE, {**known, **values})


def draw(folder: Path, quantities: list[str], formats: Formats = PNG) -> None:
    """Draw ``curves.png``, if there are epochs."""
    if curves := read_curves(folder / METRICS_FILE):
        figure = draw_curves(curves, tuple(quantities), read_record(folder).get(LOSS))
        save_plot(figure, folder / "curves", formats)


def _comes_again(row: Mapping[str, str], record: EpochRecord) -> bool:
    """Whether the continued run will write a row: of a later step, or of a split that is still to be measured after the
    last step. What was measured apart from the training comes only once.
    """
    step = int(row.get("step") or 0)
    measured = {name.partition("/")[0] for name, value in row.items() if value}
    if measured & SPLITS and not row.get("epoch"):
        return False
    return step >= record["next_step"] or (
        step == record["next_step"] - 1 and not measured.isdisjoint(record.get("to_come", ()))
    )


def _holds(rows: list[dict[str, str]], expected: Mapping[str, Any]) -> bool:
    of_epoch = [row for row in rows if row.get("epoch") == str(expected["epoch"])]
    known = {name for row in of_epoch for name, value in row.items() if value}
    return known.issuperset(expected)
