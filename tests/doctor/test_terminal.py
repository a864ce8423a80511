"""The page on the terminal: short, in the width and the colours that the terminal has."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightning_seg.doctor.advice.numbers import ClassNumbers, Numbers
from lightning_seg.doctor.advice.sizes import Sizes
from lightning_seg.doctor.diagnosis import Diagnosis
from lightning_seg.doctor.findings import Finding, Kind
from lightning_seg.doctor.telling.summary import SplitSummary, Summary
from lightning_seg.doctor.telling.terminal import Style, describe, painted_verdict, style_of_terminal
from lightning_seg.doctor.telling.text_tables import columns_of, in_columns

SIZES = np.array([[32, 48], [64, 64], [480, 640]], np.int32)
SUMMARY = Summary(
    Path("data/own"),
    ("sky", "猫"),
    (SplitSummary("train", 4, 1, SIZES), SplitSummary("val", 1, 0, SIZES[:1])),
    (("JPEG RGB", 3), ("PNG L", 1)),
)
CUT = Kind("cut-file", "error", "a file ends too early", "fit refuses it", "remove it, or: --data.unreadable skip")
DULL = Kind("dull", "note", "little to see", "none", "nothing")


def class_of(name: str, train: int, share: float) -> ClassNumbers:
    return ClassNumbers(name, {"train": train, "val": 1}, {"train": 9, "val": 9}, share, 1 / 3, 0.2, 6.44)


NUMBERS = Numbers(
    "pixels",
    {"train": 3, "val": 1},
    (class_of("sky", 3, 0.75), class_of("猫", 12, 0.25)),
    None,
    None,
    Sizes((32, 48), (64, 64), (480, 640), 0.75),
    (128, 96),
    None,
)
PAGE = """\
data/own: 5 pictures, 2 classes
3 JPEG RGB, 1 PNG L

split  pictures  unusable  width x height
train         4         1  48x32 to 640x480, median 64x64
val           1            48x32

class  train  val...ERROR: would end or spoil a training

  cut-file (12): a file ends too early
    it ends at byte 17
      0.jpg  1.jpg  2.jpg  3.jpg  4.jpg
      5.jpg  6.jpg  7.jpg  8.jpg  9.jpg
      and 2 more
    effect  fit refuses it
    remedy  remove it, or: --data.unreadable
            skip

NOTES: each is good to know

  dull (3): little to see
    effect  none
    remedy  nothing

  dull (1): little to see
    data/elsewhere/a.jpg: is dull
    effect  none
    remedy  really nothing"""


def findings() -> list[Finding]:
    files = [f"data/own/{number}.jpg" for number in range(12)]
    return [
        Finding(CUT, files, detail="it ends at byte 17"),
        Finding(DULL, count=3),
        Finding(DULL, ["data/elsewhere/a.jpg"], detail="data/elsewhere/a.jpg: is dull", remedy="really nothing"),
    ]


def test_the_page_is_summary_and_groups() -> None:
    beginning, end = PAGE.split("...")
    page = describe(diagnosis(findings()), Style(45))
    assert page.startswith(beginning)
    assert page.endswith(f"\n\n{end}")


def diagnosis(some: list[Finding]) -> Diagnosis:
    return Diagnosis(SUMMARY, NUMBERS, None, some)


@pytest.mark.parametrize("width", [40, 60, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    seen = diagnosis([*findings(), Finding(CUT, detail="word " * 500)])
    # Tables are as wide as they are.
    seen = seen._replace(summary=SUMMARY._replace(splits=()), numbers=replace(NUMBERS, classes=()))
    lines = describe(seen, Style(width)).splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.endswith("findings.json)") for line in lines)


def test_many_classes_are_a_few_lines() -> None:
    many = tuple(class_of(f"class_{number:03}", number + 1, (number + 1) / 7260) for number in range(120))
    seen = diagnosis([])._replace(numbers=replace(NUMBERS, classes=many))
    page = describe(seen, Style(100))
    assert len(page.splitlines()) < 35
    assert "class_000" in page
    assert "class_119" not in page


def test_names_cannot_speak_to_the_terminal() -> None:
    finding = Finding(CUT, ["data/own/a\x1b[2J\n\udcff\u202e.jpg"], detail="b\x1b]0;title\x07")
    seen = diagnosis([finding])
    page = describe(seen._replace(summary=SUMMARY._replace(root=Path("r\x1b[31m"))), Style(100))
    assert "\x1b" not in page
    assert "\x07" not in page
    assert r"a\x1b[2J\n\udcff\u202e.jpg" in page


def test_colours_only_paint() -> None:
    plain, coloured = (describe(diagnosis(findings()), Style(80, colour)) for colour in (False, True))
    assert "\x1b" not in plain
    painted = coloured
    for code in ("1;31", "1;33", "1;36", "1;32", "1", "2", "0"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted == plain
    assert "\x1b[1;31mcut-file\x1b[0m" in coloured
    assert "\x1b[1;36mdull\x1b[0m" in coloured


@pytest.mark.parametrize(
    ("environment", "is_terminal", "coloured"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        ({"TERM": "xterm-256color"}, False, False),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({}, True, False),
    ],
)
def test_colours_are_for_terminals_that_have_some(
    environment: dict[str, str], is_terminal: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    assert style_of_terminal().coloured == coloured


@pytest.mark.parametrize(("columns", "width"), [(20, 40), (72, 72), (300, 120)])
def test_lines_are_as_wide_as_the_terminal_within_reason(
    columns: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda _: os.terminal_size((columns, 50)))
    assert style_of_terminal().width == width


def test_the_verdict_counts_and_says_what_it_means() -> None:
    ill, well = (painted_verdict(diagnosis(some), Style()) for some in (findings(), findings()[1:]))
    assert ill == "1 error, 0 warnings, 2 notes: a training would end or be spoilt"
    assert well == "0 errors, 0 warnings, 2 notes: nothing would end or spoil a training"


def test_names_are_set_in_as_many_columns_as_fit() -> None:
    assert list(in_columns(["a", "bbb", "cc"], 14, "  ")) == ["  a    bbb", "  cc"]
    assert list(in_columns(["a", "bbb", "cc"], 17, "  ")) == ["  a    bbb  cc"]
    assert list(in_columns(["x" * 50, "y"], 20, "  ")) == ["  " + "x" * 50, "  y"]
    assert list(in_columns([], 20, "  ")) == []


def test_wide_letters_count_twice_and_accents_not_at_all() -> None:
    assert [columns_of(text) for text in ("ab", "猫", "e\u0301", "")] == [2, 2, 1, 0]
