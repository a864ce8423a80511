"""The benchmark through the command line; what it counts, by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seg.__main__ import main

FLAGS = ["benchmark", "detector", "--backbone", "test_resnet", "--rounds", "1", "--device", "cpu"]


@pytest.mark.parametrize(("windows", "expected"), [("all", 9), ("tutorial", 4)])
def test_windows_operations_and_seconds_are_told(
    windows: str, expected: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "result.json"
    # Windows of 160 pixels at a stride of 32.
    assert main([*FLAGS, "--size", "224", "--windows", windows, "--output", str(output)]) == 0
    result = json.loads(output.read_text())
    assert result["windows"] == expected
    # Convolutions cost in proportion to the area: nine crops of 160 pixels against one picture of 224, or four of them.
    assert result["ratio_of_operations"] == pytest.approx(expected * 160**2 / 224**2, rel=0.02)
    assert result["seconds/crops"] > 0
    assert 0 <= result["same_class"] <= 1
    printed = capsys.readouterr().out
    assert f"test_resnet, {expected} windows of a picture of 224 pixels" in printed
    assert f"{result['ratio']:.1f} times as fast" in printed
    # All windows look alike to random weights.
    assert "weights are random" in printed
    assert "the same likeliest class" not in printed


def test_sizes_make_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "results.json"
    assert main([*FLAGS, "--size", "[160, 224, 320]", "--output", str(output)]) == 0
    results = json.loads(output.read_text())
    assert [(one["size"], one["windows"]) for one in results] == [(160, 1), (224, 9), (320, 36)]
    for one in results:
        expected = one["windows"] * 160**2 / one["size"] ** 2
        assert one["ratio_of_operations"] == pytest.approx(expected, rel=0.02)
        assert 0 < one["seconds/head_of_one"] < one["seconds/map"] + one["seconds/crops"]
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(table) == 4
    assert [line.split(" | ")[1] for line in table] == ["windows", "1", "9", "36"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--size", "[160, 100]"], "size 100 must be a multiple of 32"),
        (["--size", "[]"], "size is empty; give one or more"),
        (["--size", "100"], "size 100 must be a multiple of 32 and at least the window, 160"),
        (["--rounds", "0"], "rounds 0 is too small"),
        (["--image", "nowhere.jpg"], "nowhere.jpg: no such file"),
        (["--backbone", "vgg99"], "backbone 'vgg99' does not exist"),
    ],
)
def test_mistakes_are_one_line(flags: list[str], expected: str, mistake: Callable[[list[str]], str]) -> None:
    assert expected in mistake([*FLAGS, *flags])
