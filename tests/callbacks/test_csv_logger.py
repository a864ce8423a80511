"""The CSV log of a continued run."""

import csv
from pathlib import Path

from lightning_seg.callbacks.csv_logger import ContinuedCSVLogger
from lightning_seg.run_files import read_curves


def log(folder: Path, epochs: range) -> None:
    logger = ContinuedCSVLogger(str(folder), "pets", "version_0")
    for epoch in epochs:
        logger.log_metrics({"epoch": epoch, "val/loss": 1.0 / (epoch + 1)}, step=10 * epoch)
        if epoch >= 2:
            logger.log_metrics({"epoch": epoch, "test/loss": 0.5}, step=10 * epoch)
    logger.save()


def test_a_second_logger_appends_also_with_a_new_column(tmp_path: Path) -> None:
    log(tmp_path, range(2))
    log(tmp_path, range(2, 4))
    with (tmp_path / "pets" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows if row["val/loss"]] == ["0", "1", "2", "3"]
    assert [row["test/loss"] for row in rows] == ["", "", "", "0.5", "", "0.5"]


def test_curves_take_the_later_of_two_values(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train/loss,val/loss\n0,9,,0.9\n0,9,0.8,\n1,19,,0.7\n1,19,,0.6\n,20,0.1,\n")
    assert read_curves(path) == {"train/loss": {0: 0.8}, "val/loss": {0: 0.9, 1: 0.6}}


def test_no_file_means_no_curves(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "metrics.csv") == {}
