"""The report of ``benchmarks/gpu.py``; the measurements themselves need a card and minutes."""

import os
import time
from importlib import import_module
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from benchmarks import gpu
from benchmarks.card.aims import advice, aims_of
from benchmarks.card.commands import environment, first_step_words
from benchmarks.card.measuring import attempt
from benchmarks.card.report import table
from benchmarks.card.rows import Row, limit_of, rows_for
from benchmarks.card.settings import Setting


def row(card: float, loader: float, trainer: float, plain: float = 50.0) -> Row:
    cells: dict[str, float | str] = {
        "card": card,
        "loader": loader,
        "Trainer": trainer,
        "plain": plain,
        "plain loader": 52.0,
    }
    return Row("pets 64@128", "pets", 64, 128, cells=cells)


@pytest.mark.parametrize(
    ("card", "loader", "trainer", "expected"),
    [
        (1000.0, 5000.0, 960.0, "the card"),
        (1000.0, 400.0, 390.0, "the loader"),
        (1000.0, 5000.0, 500.0, "the host, between steps"),
    ],
)
def test_what_limits_a_row(card: float, loader: float, trainer: float, expected: str) -> None:
    assert limit_of(row(card, loader, trainer)) == expected


def test_transforms_move_where_a_loader_is_behind_and_nowhere_else() -> None:
    assert "stay in the workers" in advice([row(1000.0, 1100.0, 960.0)])
    assert "slower than the card for pets 64@128" in advice([row(1000.0, 900.0, 800.0)])
    assert "nothing can be said" in advice([Row("a", "pets", 1, 1)])


def test_aims_that_could_not_be_measured_are_unknown() -> None:
    met = {aim.text: aim.holds for aim in aims_of([row(1000.0, 5000.0, 940.0)], "no time")}
    assert met == {
        "pets 64@128: busy unknown, aim > 90 %": None,
        "pets 64@128: Trainer 94 % of the card's rate, aim >= 95 %": False,
        "pets 64@128: 18.8 times the plain script, which its loader limits, aim >= 2": True,
        "pets.yaml on 550 pictures from the command to the tested model: no time, aim < 40 s": None,
    }


def test_a_plain_script_that_computes_all_the_time_is_no_aim() -> None:
    one = row(1000.0, 5000.0, 60.0)
    one.cells["plain loader"] = 500.0
    assert not [aim for aim in aims_of([one], 30.0) if "plain" in aim.text]
    assert aims_of([one], 30.0)[-1].holds is True


def test_a_failure_is_said_and_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    setting = Setting(torch.device("cpu"), True, 0.1, {}, time.monotonic() + 60, {})
    one = row(1000.0, 5000.0, 960.0)

    def fail() -> float:
        raise RuntimeError("out of memory\nof the card")

    attempt(one, "plain", fail, setting)
    attempt(one, "busy", lambda: 0.5, setting)
    assert "pets 64@128: plain failed" in capsys.readouterr().out
    assert one.failures == ["pets 64@128: plain: RuntimeError: out of memory of the card"]
    assert "| failed | 52.0 | 50 % |" in table([one])
    attempt(one, "busy", lambda: 0.7, setting._replace(end=time.monotonic() - 1))
    assert one.cells["busy"] == "no time"


def test_the_table_has_the_rows_that_are_asked_for() -> None:
    names = [one.name for one in rows_for(quick=False, compile_all=False)]
    assert names == [
        *("pets 64@128", "pets 256@128", "carvana 32@256", "flowers 32@180", "flowers 256@180"),
        *("ResNet50 64@224", "ResNet50 256@224", "VGG16's map @448", "VGG16's map @896"),
    ]
    assert [one.name for one in rows_for(False, False) if one.compiles] == ["pets 64@128", "ResNet50 64@224"]
    assert sum(one.compiles for one in rows_for(False, compile_all=True)) == 7
    assert len(table(rows_for(False, False)).splitlines()) == 11


@pytest.mark.parametrize(("device", "kept"), [("cpu", [True]), ("cuda", [])])
def test_a_cpu_keeps_freed_memory_before_anything_is_measured(
    device: str, kept: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(gpu, "keep_freed_memory", lambda: calls.append(True))
    gpu.prepare(device)
    assert calls == kept


def test_the_command_that_is_ended_after_a_step_finds_its_callback(tmp_path: Path) -> None:
    setting = Setting(torch.device("cpu"), True, 0.1, {}, time.monotonic() + 60, {})
    words = first_step_words(Row("pets", "pets", 2, 64), setting, tmp_path)
    (callback,) = [word.partition("+=")[2] for word in words if word.startswith("--trainer.callbacks+=")]
    module, _, name = callback.rpartition(".")
    assert issubclass(getattr(import_module(module), name), pl.Callback)
    folder = Path(environment()["PYTHONPATH"].split(os.pathsep)[0])
    assert folder.joinpath(*module.split(".")).with_suffix(".py").is_file()
