"""docs/export.md: its Python, line by line, on a model that is made by hand."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.serving.onnx_files import NAMES, write_masks

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def blocks(section: str) -> list[str]:
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), flags=re.M | re.S)
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reader works: the model and a photo."""
    write_masks(tmp_path / "model.onnx")
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_predictor_of_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("Predict with the file")
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.startswith("(30, 40) 0.")
    assert Image.open(folder / "overlay.png").size == (40, 30)


@pytest.mark.usefixtures("folder")
def test_the_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("Ten lines of Python")
    exec(compile(code, str(PAGE), "exec"), {})
    *classes, confidence = capsys.readouterr().out.splitlines()
    found = dict(re.findall(r"^(\w+) ([\d.]+)% of the pixels$", "\n".join(classes), flags=re.M))
    assert len(found) == len(classes)
    assert set(found) <= set(NAMES)
    assert sum(map(float, found.values())) == pytest.approx(100, abs=0.3)
    assert re.fullmatch(r"confidence 0\.\d{3}", confidence)
    assert "lightning_seg import" not in code
