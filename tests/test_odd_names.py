"""Names of files and classes that a terminal, a spreadsheet or a table would obey."""

import csv
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seg.__main__ import main
from lightning_seg.callbacks.picture_scores import read_picture_scores
from lightning_seg.tables import read_rows

NAMES = ["=1+1.jpg", "two\nlines.jpg", "\x1b[31mred.jpg", os.fsdecode(b"\xff.jpg"), 'quo"te.jpg']
CLASSES = ["=cmd()", "up\ndown", "\x1b[2J"]


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory: pytest.TempPathFactory, flowers_root: Path) -> Path:
    """A classifier of pictures and classes with odd names, trained and tested in a folder with relative paths."""
    folder = tmp_path_factory.mktemp("odd")
    pictures = sorted(flowers_root.rglob("*.jpg"))
    for label, name in enumerate(CLASSES):
        (folder / "=data" / name).mkdir(parents=True)
        for number, picture in enumerate(pictures[6 * label : 6 * label + 6]):
            target = NAMES[number] if number < len(NAMES) else f"{number}.jpg"
            shutil.copy(
                picture, folder / "=data" / name / f"{label}{target}" if number else folder / "=data" / name / target
            )
    words = ["--model", "CNNClassifierTask", "--data", "ImageFolderDataModule", "--data.root", "=data"]
    words += ["--data.image_size", "32", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
    words += ["--trainer.max_epochs", "1", "--run_folder", "run"]
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["fit", *words]) == 0
        assert main(["test", "--run", "run"]) == 0
    finally:
        os.chdir(before)
    return folder


def test_the_table_of_a_test_tells_the_files(odd_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(odd_run)
    table = odd_run / "run" / "test_pictures.csv"
    scored = read_picture_scores(table)
    assert scored.scores
    assert all(Path(path).is_file() for path in scored.scores)
    with table.open(newline="", errors="surrogateescape") as file:
        assert all(row[0].startswith("./=data/") for row in list(csv.reader(file))[1:])


def test_predictions_of_odd_names_are_lines_and_rows(
    odd_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    flowers_root: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert logging.lastResort is not None
    monkeypatch.chdir(odd_run)
    photos = odd_run / "photos"
    photos.mkdir()
    for name in NAMES:
        shutil.copy(next(flowers_root.rglob("*.jpg")), photos / name)
    (photos / "=bro\nken.jpg").write_text("no picture")
    monkeypatch.chdir(photos)
    assert main(["predict", "--run", "../run", "--images", "*.jpg", "--output", "../out"]) == 3
    said = capfd.readouterr()
    lines = [line for line in said.out.splitlines() if ".jpg: " in line]
    assert len(lines) == len(NAMES)
    assert "\x1b[" not in said.out + said.err
    assert any(line.startswith("two\\nlines.jpg: ") for line in lines)
    # What the terminal gets where no program has set up its own log.
    shown = [logging.lastResort.format(record) for record in caplog.records if record.name.startswith("lightning_seg")]
    assert [line for line in shown if line.startswith("skipped =bro\\nken.jpg: ")]
    rows = read_rows(odd_run / "out" / "predictions.csv")
    assert {Path(row["picture"]).name for row in rows} == {*NAMES, "=bro\nken.jpg"}
    assert {row["label"] for row in rows if not row["error"]} <= set(CLASSES)
    with (odd_run / "out" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert all(map(str.isprintable, cells))
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]


def test_a_mistake_with_an_odd_name_is_one_line(
    odd_run: Path, mistake: Callable[[list[str]], str], tmp_path: Path
) -> None:
    line = mistake(["predict", "--run", str(odd_run / "run"), "--images", "no\nsuch\x1b[31m.jpg"])
    assert "no\\nsuch\\x1b[31m.jpg" in line
