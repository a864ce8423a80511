"""What takes longer than two seconds has a bar with a rate, and ``--quiet`` has none."""

import os
from pathlib import Path

import pytest

from lightning_seg import progress
from lightning_seg.__main__ import main
from lightning_seg.progress import counted, quietly


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)


def test_a_bar_counts_with_a_rate(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(counted(range(30), "reading", 30, "mask")) == list(range(30))
    told = capsys.readouterr().err
    assert "reading: 100%" in told
    assert "30/30" in told
    assert "masks/s" in told


def test_what_is_quick_has_none(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 2.0)
    assert list(counted(range(30), "reading", 30)) == list(range(30))
    assert capsys.readouterr().err == ""


def test_quiet_lasts_for_a_command_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with quietly(True):
        assert os.environ[progress.QUIET] == "1"
        assert list(counted(range(3), "reading")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    assert progress.QUIET not in os.environ


@pytest.mark.parametrize(
    ("words", "bar"),
    [
        (["synthesize", "flowers", "--num_per_class", "1"], "writing daisy"),
        (["synthesize", "oxford_pets", "--num_trainval", "4", "--num_test", "2", "--num_breeds", "2"], "writing test"),
        (["synthesize", "carvana", "--num_cars", "1", "--num_views", "1"], "cars/s"),
    ],
)
def test_writing_a_dataset_has_bars(
    words: list[str], bar: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words[:2], str(tmp_path / "shown"), *words[2:]]) == 0
    assert bar in capsys.readouterr().err
    assert main([*words[:2], str(tmp_path / "quiet"), *words[2:], "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_quiet_fit_trains_without_bars(
    workers: str, pets_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", "OxfordPetsDataModule", "--data.root", str(pets_copy), "--data.image_size", "32"]
    words = ["fit", *data, "--data.batch_size", "4", "--data.num_workers", workers, "--trainer.max_epochs", "1"]
    words += ["--model", "UNetTask", "--model.width", "2", "--model.depth", "1", "--trainer.accelerator", "cpu"]
    assert main([*words, "--run_folder", str(tmp_path / "run"), "--quiet"]) == 0
    told = capsys.readouterr()
    assert "Epoch" not in told.out + told.err
    assert "/s" not in told.err
    assert (tmp_path / "run" / "metrics.json").is_file()
