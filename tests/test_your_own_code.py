"""docs/your_own_code.md, line by line: its classes in a file, its scripts, its commands."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.utils.data import DataLoader

from lightning_seg import UNetTask
from lightning_seg.__main__ import main
from lightning_seg.errors import UserError
from lightning_seg.tables import read_rows

PAGE = Path(__file__).parents[1] / "docs" / "your_own_code.md"
QUIET: dict[str, Any] = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False, "log_every_n_steps": 1}
FLAGS = [word for name, value in QUIET.items() for word in (f"--trainer.{name}", str(value).lower())]
BLOCKS = {
    title: re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    for title, text in re.findall(r"^## (.*)\n((?:(?!^## ).*\n)+)", PAGE.read_text(), flags=re.MULTILINE)
}
RUN = [title for title, blocks in BLOCKS.items() if blocks]


def defines(language: str, code: str) -> bool:
    """Whether a block is a part of my_code.py."""
    return language == "python" and re.search(r"^class ", code, flags=re.MULTILINE) is not None


MY_CODE = "\n\n".join(code for blocks in BLOCKS.values() for language, code in blocks if defines(language, code))


@pytest.fixture
def folder(tmp_path: Path, flowers_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader works: his file, a photo, and the flowers that would be written there."""
    (tmp_path / "my_code.py").write_text(MY_CODE)
    pixels = torch.arange(40 * 50 * 3).remainder(251).view(40, 50, 3).to(torch.uint8)
    Image.fromarray(pixels.numpy()).save(tmp_path / "photo.png")
    shutil.copytree(flowers_root, tmp_path / "data" / "flowers")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "my_code", raising=False)
    return tmp_path


def run_script(code: str) -> None:
    construct = pl.Trainer.__init__

    def construct_quietly(trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        construct(trainer, *args, **{**kwargs, **QUIET})

    # The command line reads the arguments of the real one.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.Trainer, "__init__", construct_quietly)
        exec(compile(code, str(PAGE), "exec"), {"__name__": "__main__"})


def metrics(run: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path("runs", run, "version_0", "metrics.json").read_text())
    return content


def check_data(said: str) -> None:
    assert "torch.Size([32, 32])\n('ground', 'disc')\n3 epochs\n" in said
    assert "torch.Size([4, 3, 32, 32]) torch.uint8" in said
    assert {"val/iou/disc", "test/iou/disc"} <= metrics("UNetTask").keys()
    assert metrics("UNetTask")["epochs"] == 3
    # Of eight pictures without paths, and of a file at its own size.
    assert len(list(Path("out", "masks").iterdir())) == 8
    assert Image.open("photos_out/masks/photo.png").size == (50, 40)


def check_network(said: str) -> None:
    assert "(40, 50) ('ground', 'disc')" in said
    assert metrics("TinyTask")["epochs"] == 3
    # (3 * 9 + 1) * 4 + (4 * 9 + 1) * 2
    assert metrics("TinyTask")["parameters"] == 186
    assert Image.open("out/masks/photo.png").size == (50, 40)


def check_loss(said: str) -> None:
    values = metrics("SizedTask")
    for split in ("train", "val", "test"):
        parts = values[f"{split}/cross_entropy"] + 0.1 * values[f"{split}/size_loss"]
        assert values[f"{split}/loss"] == pytest.approx(parts, rel=1e-5)


def check_metric(said: str) -> None:
    values = metrics("MeasuredTask")
    rows = read_rows(Path("runs", "MeasuredTask", "version_0", "metrics.csv"))
    errors = [float(row["val/mean_area_error"]) for row in rows if row["epoch"] and row["val/mean_area_error"]]
    assert len(errors) == 3
    assert values["best/val/mean_area_error"] == pytest.approx(min(errors), rel=1e-4)
    assert values["best_is"] == "min"
    # Of two classes, both areas are wrong by as much: intersection over union and accuracy tell the predicted one.
    wrong, true = 8 * 32 * 32 * (1 - values["test/accuracy"]), number_of_disc_pixels()
    either = wrong / (1 - values["test/iou/disc"])
    predicted = either + (either - wrong) - true
    for name in ("mean_area_error", "area_error/disc", "area_error/ground"):
        assert values[f"test/{name}"] == pytest.approx(abs(predicted - true) / (8 * 32 * 32), abs=1e-5)


def number_of_disc_pixels() -> int:
    discs: Any = sys.modules["my_code"].DiscsData().test_dataloader().dataset
    return sum(int(discs[index]["mask"].sum()) for index in range(len(discs)))


def check_task(said: str) -> None:
    assert metrics("NoisyTask")["epochs"] == 2
    assert "test/loss" in metrics("NoisyTask")
    assert Image.open("out/masks/photo.png").size == (50, 40)
    assert len(re.findall(r"^0\.\d+$", said, flags=re.MULTILINE)) == 2
    state = torch.load("runs/NoisyTask/version_0/checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]
    assert "momentum_buffer" in state["state"][0]


def check_module(said: str) -> None:
    values = metrics("PlainModule")
    assert values["epochs"] == 2
    assert "best/val_loss" in values
    assert "test_loss" in values
    assert len(re.findall(r"^classes: [0-4]", said, flags=re.MULTILINE)) >= 1
    assert re.search(r"^tensor\(\[", said, flags=re.MULTILINE)


def check_callbacks(said: str) -> None:
    # 32 pictures in batches of 8, from the command line and from Python.
    assert said.count("4 steps\n") == 2
    assert "'val/miou'" in said


CHECKS: dict[str, Callable[[str], None]] = {
    "Data": check_data,
    "A network": check_network,
    "A loss": check_loss,
    "A metric": check_metric,
    "A task": check_task,
    "A LightningModule with the data of this package": check_module,
    "Callbacks and loggers": check_callbacks,
}


def commands(code: str) -> list[list[str]]:
    return [shlex.split(line)[1:] for line in code.replace("\\\n", " ").splitlines()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("title", RUN)
def test_a_section_runs(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    for language, code in BLOCKS[title]:
        if language == "bash":
            for words in commands(code):
                assert main([*words, *FLAGS]) == 0, (words, capsys.readouterr().err)
        elif not defines(language, code):
            run_script(code)
    CHECKS[title](capsys.readouterr().out)


def test_every_section_is_checked() -> None:
    assert set(RUN) == set(CHECKS)


IMAGE = torch.arange(8 * 3 * 32 * 32).remainder(256).view(8, 3, 32, 32).to(torch.uint8)
LABEL = torch.zeros(8, dtype=torch.int64)
EXAMPLES: list[Any] = [
    (IMAGE, LABEL),
    {"image": IMAGE / 255},
    {"image": IMAGE.permute(0, 2, 3, 1)},
    {"image": IMAGE, "mask": torch.full((8, 32, 32), 7)},
]
LINES = re.findall(r"`([^`]* batch [^`]*)` \|$", PAGE.read_text(), flags=re.MULTILINE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("batch", "line"), zip(EXAMPLES, LINES, strict=True))
def test_the_lines_are_those_that_come(batch: Any, line: str) -> None:
    trainer, batches = pl.Trainer(logger=False, enable_model_summary=False, **QUIET), [batch]
    loader: DataLoader[Any] = DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
    with pytest.raises(UserError) as raised:
        trainer.validate(UNetTask(width=4, depth=2), loader)
    assert str(raised.value).startswith(line.removesuffix("..."))
