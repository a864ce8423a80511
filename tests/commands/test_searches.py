"""``lr-find`` and ``batch-size-find``: what they print can be typed, and nothing else of them stays."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from lightning_seg import CNNClassifierTask
from lightning_seg.__main__ import main
from lightning_seg.stopping import Stopped
from tests.trainer.small_runs import write_small

ROOM = 9
"""Pictures."""
SMALL = ["--data.num_workers", "0", "--data.image_size", "32", "--data.batch_size", "10"]
WIDE = ["--steps", "40", "--min_lr", "1e-5", "--max_lr", "1"]
SYSTEMS = {
    "pets": ["--model.encoder_weights", "null", "--data.download", "false", "--data.cache", "false"],
    "carvana": ["--model.width", "4", "--model.depth", "2", "--data.cache", "false"],
    "flowers": ["--data.download", "false", "--data.cache", "false"],
    "dogs": ["--model.arch", "resnet10t", "--model.weights", "null", "--data.download", "false"],
    "detector": [
        *("--data", "FlowersDataModule", "--model.backbone", "mobilenet_v2", "--model.weights", "null"),
        *("--model.window", "32", "--model.freeze_encoder", "false", "--data.augment", "false"),
    ],
}


class LittleMemory(CNNClassifierTask):
    """Has room for few pictures."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if len(batch["image"]) > ROOM:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().training_step(batch, batch_idx)


class Interrupted(CNNClassifierTask):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if len(batch["image"]) > 2 or batch_idx > 1:
            raise KeyboardInterrupt
        return super().training_step(batch, batch_idx)


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def roots(request: pytest.FixtureRequest, system: str) -> str:
    return str(request.getfixturevalue(f"{system if system != 'detector' else 'flowers'}_root"))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_rate_for_every_system(
    system: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--config", system, *SYSTEMS[system], "--data.root", roots(request, system), *SMALL]
    words += ["--trainer.accelerator", "cpu", *WIDE]
    assert main(["lr-find", *words]) == 0
    sentence, picture, flag = capsys.readouterr().out.splitlines()[-3:]
    assert sentence.startswith("the loss falls fastest at a rate of ")
    (rate,) = re.fullmatch(r"--model\.lr (\S+)", flag).groups()  # type: ignore[union-attr]
    assert 1e-5 <= float(rate) <= 1
    assert picture == "lr_find.png"
    assert Image.open(picture).size == (640, 420)
    # No run, no checkpoint, no log.
    assert [path.name for path in Path().iterdir()] == ["lr_find.png"]


def test_the_axis_of_the_picture_has_the_unit_of_the_loss(flowers_root: Path) -> None:
    assert main(["lr-find", "--config", str(write_small(flowers_root)), *WIDE, "--output", "found.svg"]) == 0
    # The labels of its axes are letters; cross-entropies are in nats.
    assert "training loss (nats) of the next step" in Path("found.svg").read_text()


def test_the_same_seed_finds_the_same_and_the_picture_lies_where_it_is_wanted(
    flowers_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(write_small(flowers_root))

    def found(*more: str) -> str:
        assert main(["lr-find", "--config", config, *WIDE, "--output", "a/b.png", *more]) == 0
        return capsys.readouterr().out

    Path("a").mkdir()
    first = found()
    assert Path("a/b.png").is_file()
    assert found("--data.num_workers", "2") == first
    assert found("--seed_everything", "1") != first


def test_what_is_found_depends_on_nothing_that_the_training_would_do_later(
    flowers_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Schedules, averages, early stopping and the rate of the config."""

    def found(**trainer: Any) -> str:
        assert main(["lr-find", "--config", str(write_small(flowers_root, **trainer)), *WIDE, *more]) == 0
        return capsys.readouterr().out.splitlines()[-1]

    more: list[str] = []
    plain = found()
    more = ["--model.lr", "0.5", "--model.schedule", "one_cycle", "--ema", "0.9", "--early_stopping", "1"]
    assert found(callbacks=[{"class_path": "LearningRateMonitor"}], max_epochs=2) == plain


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "3"], "steps 3 are too few; give 20 or more"),
        (["--min_lr", "1", "--max_lr", "0.1"], "min_lr 1 is not below max_lr 0.1"),
        (["--min_lr", "0"], "min_lr 0.0 must be a finite number above 0"),
        (["--output", "found.txt"], "no picture can be written with suffix '.txt'"),
        (["--plots", "svg"], "plots says nothing here; --output lr_find.svg gives the picture another format"),
        (["--model.lrr", "1"], "did you mean --model.lr?"),
        (["--max_lr", "1e-9", "--min_lr", "1e-12", "--steps", "20"], "the loss falls nowhere"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], message: str, flowers_root: Path, mistake: Callable[[list[str]], str]
) -> None:
    config = write_small(flowers_root)
    assert message in mistake(["lr-find", "--config", str(config), *words])
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_a_suggestion_can_be_trained_with(flowers_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(write_small(flowers_root))
    assert main(["lr-find", "--config", config, *WIDE]) == 0
    flag = capsys.readouterr().out.splitlines()[-1].split()
    assert main(["fit", "--config", config, *flag]) == 0
    # The network of a run begins anew.
    assert main(["lr-find", "--run", "runs/small", "--trainer.accelerator", "cpu", *WIDE]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == flag


# Batches


def test_the_largest_batch_that_fits(flowers_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(write_small(flowers_root))
    words = ["batch-size-find", "--config", config, "--model", "tests.commands.test_searches.LittleMemory"]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": ") for line in said[:4]] == [
        ["     2", "fits"],
        ["     4", "fits"],
        ["     8", "fits"],
        ["    16", "out of memory"],
    ]
    assert said[-1] == "--data.batch_size 8"
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_a_memory_that_two_do_not_fit_into_is_full(
    flowers_root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.commands.test_searches.ROOM", 1)
    config = str(write_small(flowers_root))
    assert main(["batch-size-find", "--config", config, "--model", "tests.commands.test_searches.LittleMemory"]) == 0
    said = capsys.readouterr().out
    assert said.endswith("--data.batch_size 1\n")
    assert "not full" not in said


def test_where_the_memory_is_not_full_it_says_why(flowers_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(write_small(flowers_root))
    assert main(["batch-size-find", "--config", config]) == 0
    said = capsys.readouterr().out
    # 18 pictures to train on.
    assert "the memory was not full: there are no more pictures" in said
    assert said.endswith("--data.batch_size 16\n")
    assert main(["batch-size-find", "--config", config, "--most", "4"]) == 0
    assert "the memory was not full: give a higher --most than 4" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["batch-size-find", "lr-find"])
def test_what_is_interrupted_has_changed_nothing(
    command: str, flowers_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_small(flowers_root)
    before = config.read_bytes()
    try:
        code: object = main([command, "--config", str(config), "--model", "tests.commands.test_searches.Interrupted"])
    except Stopped as stopped:
        code = stopped
    assert code == 130
    assert "; the same command begins anew" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]
    assert config.read_bytes() == before


def test_sizes_that_make_no_sense_are_one_line(flowers_root: Path, mistake: Callable[[list[str]], str]) -> None:
    config = str(write_small(flowers_root))
    assert "most 0 is too small; give 1 or more" in mistake(["batch-size-find", "--config", config, "--most", "0"])
