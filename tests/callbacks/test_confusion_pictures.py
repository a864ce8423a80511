"""The pictures behind each cell of the confusion matrix; what the network answers is known from paper."""

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger

from lightning_seg.callbacks import PictureScoreWriter
from lightning_seg.callbacks.confusion_pictures import Answered, write_confusions
from lightning_seg.report.confusion import Confusion
from lightning_seg.report.tested import read_tested
from lightning_seg.tables import read_rows
from tests.callbacks.by_colour import PIXELS, Samples, classifier, mask_task, measured

TRUTHS = [1, 0, 1, 2, 1, 2, 0]
COLOURS = [[0], [0], [0], [1], [1], [0], [0]]
"""Black is an ant by 0.5, white a cat by 0.8."""
ON_PAPER = [
    # A bee was taken for an ant twice, for a cat once; a cat for an ant once.
    ("bee", "ant", "2", "0.5", "0.png"),
    ("bee", "ant", "2", "0.5", "2.png"),
    ("bee", "=cat", "1", "0.8", "4.png"),
    ("=cat", "ant", "1", "0.5", "5.png"),
    ("ant", "ant", "2", "0.5", "1.png"),
    ("ant", "ant", "2", "0.5", "6.png"),
    ("=cat", "=cat", "1", "0.8", "3.png"),
]
LINE = "4 of 7 test pictures taken for another class: bee for ant 2, bee for =cat 1, =cat for ant 1"


def cells_of(folder: Path) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in read_rows(folder / "confusion_pictures.csv")]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_pictures_behind_each_cell_are_those_on_paper(
    num_workers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured(classifier(), Samples("label", COLOURS, TRUTHS), tmp_path, num_workers)
    table = tmp_path / "confusion_pictures.csv"
    assert table.read_text().splitlines()[0] == "truth,prediction,count,probability,path"
    assert cells_of(tmp_path) == ON_PAPER
    assert f"{table}: {LINE}\n" in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_list_the_pictures_of_both(tmp_path: Path) -> None:
    trainer = pl.Trainer(
        logger=CSVLogger(tmp_path, "", ""),
        accelerator="cpu",
        devices=2,
        strategy="ddp_spawn",
        callbacks=[PictureScoreWriter()],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    # Lightning's sampler for two processes shows the first picture twice where their number is odd.
    loader = torch.utils.data.DataLoader(Samples("label", COLOURS[:6], TRUTHS[:6]), batch_size=2)
    trainer.test(classifier(), loader, verbose=False)
    assert sorted(row[4] for row in cells_of(tmp_path)) == [f"{number}.png" for number in range(6)]
    assert cells_of(tmp_path)[:4] == ON_PAPER[:4]


def test_the_report_has_the_same_pictures_in_the_same_order(tmp_path: Path) -> None:
    measured(classifier(), Samples("label", COLOURS, TRUTHS), tmp_path)
    confusion = Confusion.of(read_tested(tmp_path / "test_pictures.csv"), ["ant", "bee", "=cat"])
    assert confusion is not None
    of_report = [(true, said, one.path) for (true, said), held in confusion.cells.items() for one in held]
    assert sorted(of_report) == sorted((true, said, path) for true, said, _, _, path in ON_PAPER)
    assert [one.path for one in confusion.behind("bee", "ant")] == ["0.png", "2.png"]


def test_the_surest_come_first_and_unknown_probabilities_last(tmp_path: Path) -> None:
    told = [("a", 0.4), ("b", float("nan")), ("c", 0.9), ("d", 0.6)]
    pictures = [Answered("rose", "tulip", probability, path) for path, probability in told]
    line = write_confusions(tmp_path / "table.csv", pictures, ["rose", "tulip"])
    rows = read_rows(tmp_path / "table.csv")
    assert [(row["path"], row["probability"]) for row in rows] == [("c", "0.9"), ("d", "0.6"), ("a", "0.4"), ("b", "")]
    assert line.endswith("table.csv: 4 of 4 test pictures taken for another class: rose for tulip 4")


def test_without_mistakes_the_line_says_so(tmp_path: Path) -> None:
    line = write_confusions(tmp_path / "table.csv", [Answered("rose", "rose", 0.5, "a")], ["rose"])
    assert line.endswith("table.csv: 0 of 1 test pictures taken for another class")


def test_masks_have_no_such_table(tmp_path: Path) -> None:
    task, _ = mask_task("one")
    measured(task, Samples("mask", *PIXELS), tmp_path)
    assert (tmp_path / "test_pictures.csv").is_file()
    assert not (tmp_path / "confusion_pictures.csv").exists()
