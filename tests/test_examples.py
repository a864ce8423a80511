"""The examples in docstrings give what stands below them."""

import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parents[1]
KNOWN = {"Image": Image, "Path": Path, "np": np, "torch": torch}
"""Names that every example knows, beside those of its own module; the reference says so."""


def modules_with_examples() -> list[str]:
    files = [path for path in (ROOT / "lightning_seg").rglob("*.py") if ">>> " in path.read_text("utf-8")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files)


def examples_of(name: str) -> Iterator[doctest.DocTest]:
    """Of functions and classes that are defined in the module."""
    module: Any = importlib.import_module(name)
    own = {key: value for key, value in vars(module).items() if getattr(value, "__module__", None) == name}
    found = doctest.DocTestFinder(exclude_empty=True).find(module, name, globs={**KNOWN, **own})
    yield from (example for example in found if example.examples)


@pytest.mark.parametrize("module", modules_with_examples())
def test_examples_give_what_stands_below_them(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = list(examples_of(module))
    assert examples
    for number, example in enumerate(examples):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert capsys.readouterr().out == ""


def test_there_are_many_examples() -> None:
    """An example that the finder passes over would never be run."""
    files = (ROOT / "lightning_seg").rglob("*.py")
    written = sum(path.read_text("utf-8").count("Examples:\n") for path in files)
    found = sum(len(list(examples_of(module))) for module in modules_with_examples())
    assert found == written >= 50


def test_an_example_that_is_wrong_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    example = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    doctest.DocTestRunner().run(example)
    assert "Expected:\n    3\nGot:\n    2" in capsys.readouterr().out
