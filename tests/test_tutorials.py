"""docs/tutorials and docs/ko, line by line: each command runs on few pictures, and both languages show the same."""

import doctest
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from lightning_seg.__main__ import main
from lightning_seg.comparison import training
from tests.test_readme import code_blocks, command_lines, linked_files
from tools.tutorials import DOCS, PAGES, PICTURES, commands, downloads, sources

KOREAN = DOCS / "ko"
WRITTEN = [*PAGES.values(), *sorted(KOREAN.rglob("*.md"))]
COUNTS = {
    "oxford_pets": {"num_trainval": 24, "num_test": 4, "num_breeds": 2},
    "carvana": {"num_cars": 5, "num_views": 2},
    "flowers": {"num_per_class": 10},
    "stanford_dogs": {"num_train": 24, "num_test": 4, "num_breeds": 2},
    "scenes": {"num_scenes": 2, "num_per_class": 4},
}
SHORT = {
    **{"--data.batch_size": "4", "--data.num_workers": "0", "--data.image_size": "64"},
    **{"--trainer.max_epochs": "1", "--trainer.limit_train_batches": "2", "--trainer.limit_val_batches": "2"},
    **{"--trainer.enable_progress_bar": "false", "--trainer.accelerator": "cpu"},
}
INVENTED = {
    "pets": {"--data.root": "data/synthetic_pets", "--model.encoder_weights": "null"},
    "carvana": {"--data.root": "data/synthetic_carvana", "--model.width": "4"},
    "flowers": {"--data.root": "data/synthetic_flowers"},
    "dogs": {"--data.root": "data/synthetic_dogs", "--model.arch": "test_resnet", "--model.weights": "null"},
}
"""In place of what the page's readers download."""


def shortened(words: Sequence[str]) -> list[str]:
    """The command on few pictures, for a short time; what is typed later wins."""
    command, *rest = words
    added: dict[str, Any] = {}
    if command == "synthesize":
        added = {f"--{name}": count for name, count in COUNTS[rest[0]].items()}
    elif command in ("fit", "compare"):
        added = SHORT | ({"--data.image_size": "96"} if "SlidingDetectorTask" in rest else {})
        if downloads([*words]):
            added |= {"--data.source": "synthetic", **INVENTED[rest[1]], "--trainer.fast_dev_run": "true"}
    elif "runs/SlidingDetectorTask" in rest and command == "predict":
        # So short a training finds nothing at the usual threshold.
        added = {"--threshold": 0.05}
    elif "detector" in rest:
        added = {"--model.backbone": "test_resnet", "--model.weights": "null"}
        if command == "benchmark":
            added = {"--backbone": "test_resnet", "--rounds": 1, "--size": 224}
    return [command, *rest, *(str(word) for pair in added.items() for word in pair)]


def few_runs(words: list[str]) -> list[str]:
    """A comparison of two variants with one seed, on the page about comparing; elsewhere its plan alone."""
    if words[0] != "compare":
        return words
    if "dogs" not in words:
        return [*words, "--print_config"]
    words[words.index("--seeds") + 1] = "1"
    last = len(words) - 1 - words[::-1].index("--variant")
    return [*words[:last], *words[last + 2 :]]


def call_here(words: Sequence[str], output: IO[str]) -> int:
    """A run of a comparison without a process of its own."""
    return main([*words[3:]])


def exit_code(words: list[str]) -> object:
    try:
        return main(words)
    except SystemExit as stop:
        # Who prints a config leaves at once.
        return stop.code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader works, with two photos of his own."""
    pixels = np.arange(96 * 128 * 3).reshape(96, 128, 3) % 251
    (tmp_path / "photos").mkdir()
    for name in ("photos/mine.jpg", "cat_dog.jpg"):
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "call", call_here)
    return tmp_path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_commands_of_a_page_run_and_leave_its_pictures(page: str, folder: Path) -> None:
    for words in commands(page):
        assert exit_code(few_runs(shortened(words))) == 0, shlex.join(words)
    for _, file in sources(page, folder):
        assert min(Image.open(file).size) > 32


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES)
def test_python_of_a_page_says_what_stands_there(page: str) -> None:
    for code in code_blocks(PAGES[page].read_text("utf-8"), "pycon"):
        test = doctest.DocTestParser().get_doctest(code, {}, page, str(PAGES[page]), 0)
        assert test.examples
        assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_commands_and_pictures(page: str) -> None:
    english, korean = (path.read_text("utf-8") for path in (PAGES[page], KOREAN / "tutorials" / f"{page}.md"))
    assert code_blocks(korean) == code_blocks(english)
    assert pictures_of(korean) == [picture.replace("../images", "../../images") for picture in pictures_of(english)]
    assert len(re.findall("^## ", korean, re.MULTILINE)) == len(re.findall("^## ", english, re.MULTILINE))
    assert table_cells(korean) == table_cells(english)


def pictures_of(text: str) -> list[str]:
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)


def table_cells(text: str) -> list[tuple[str, ...]]:
    """The code in each row of the tables, which needs no translation."""
    rows = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    return [tuple(re.findall("`([^`]+)`", row)) for row in rows]


def test_commands_of_the_korean_start_are_those_of_the_tutorials() -> None:
    known = {line for path in PAGES.values() for line in command_lines(path.read_text("utf-8"))}
    assert set(command_lines((KOREAN / "index.md").read_text("utf-8"))) <= known


def test_every_picture_is_shown_and_small() -> None:
    stored = {path.stem: path for path in (DOCS / "images" / "tutorials").iterdir()}
    shown = {Path(picture).stem for path in PAGES.values() for picture in pictures_of(path.read_text("utf-8"))}
    assert stored.keys() == PICTURES.keys()
    assert stored.keys() <= shown
    assert [name for name, path in stored.items() if path.stat().st_size >= 60_000] == []


def test_links_lead_to_headings_that_exist() -> None:
    for page in WRITTEN:
        text = page.read_text("utf-8")
        assert [file for file in linked_files(text) if not (page.parent / file).exists()] == [], page
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", text):
            there = (page.parent / target).read_text("utf-8") if target else text
            assert anchor in anchors(there), f"{page}: {target}#{anchor}"


def anchors(text: str) -> set[str]:
    """What headings are called in addresses, as Python-Markdown and GitHub call them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    given = re.findall(r'<a id="([^"]+)">', text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings} | set(given)
