"""Plots as files: every format, twice the same, and nothing that is of an earlier one."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from lightning_seg.errors import ConfigError
from lightning_seg.plots.comparison import BandCurve, draw_comparison
from lightning_seg.plots.curves import draw_curves
from lightning_seg.plots.figures import figure_to_array, figure_to_svg, remove_plot, save_plot
from lightning_seg.plots.formats import FORMATS, parse_formats
from lightning_seg.plots.labels import draw_labels
from lightning_seg.plots.reliability import draw_reliability

SVG = "{http://www.w3.org/2000/svg}"
NAME = "$x^2$ <b>"


def labels() -> Figure:
    images = torch.arange(2 * 3 * 8 * 8, dtype=torch.uint8).reshape(2, 3, 8, 8)
    return draw_labels(images, torch.tensor([0, 1]), torch.eye(2), (NAME, "other"))


FIGURES: dict[str, Callable[[], Figure]] = {
    "curves": lambda: draw_curves({"train/loss": {0: 1.0, 1: 0.5}}, ["loss"]),
    "comparison": lambda: draw_comparison([BandCurve(NAME, [1, 2], [0.1, 0.2], [0.1, 0.1])], "val/miou", 2),
    "labels": labels,
    "reliability": lambda: draw_reliability(torch.ones(5), torch.ones(5), torch.ones(5) / 2, "a", "pictures"),
}


def texts(file: Path) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(file.read_text()).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", FIGURES)
def test_two_files_of_a_figure_are_the_same(name: str, tmp_path: Path) -> None:
    save_plot(FIGURES[name](), tmp_path / "one" / name, FORMATS)
    before = {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()}
    assert set(before) == {f"{name}.png", f"{name}.svg", f"{name}.pdf"}
    time.sleep(1.1)  # dates in files count seconds
    save_plot(FIGURES[name](), tmp_path / "two" / name, FORMATS)
    assert {file.name: file.read_bytes() for file in (tmp_path / "two").iterdir()} == before


def test_letters_stay_letters(tmp_path: Path) -> None:
    save_plot(labels(), tmp_path / "labels", ("svg", "pdf"))
    # A name is no formula and no markup.
    assert f"{NAME} ({NAME} 100 %)" in texts(tmp_path / "labels.svg")
    content = (tmp_path / "labels.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/TrueType" in content or b"/Type0" in content
    assert b"CreationDate" not in content


def test_a_picture_that_was_drawn_is_written_as_it_is(tmp_path: Path) -> None:
    figure = labels()
    picture = figure_to_array(figure)
    save_plot(figure, tmp_path / "labels", ("png", "svg"), picture)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "labels.png")), picture)


def test_formats_that_are_not_asked_for_any_more_go(tmp_path: Path) -> None:
    save_plot(labels(), tmp_path / "epoch.001", FORMATS)
    (tmp_path / "epoch.001.csv").write_text("kept")
    save_plot(labels(), tmp_path / "epoch.001", ("svg",))
    assert {file.name for file in tmp_path.iterdir()} == {"epoch.001.svg", "epoch.001.csv"}
    remove_plot(tmp_path / "epoch.001")
    assert {file.name for file in tmp_path.iterdir()} == {"epoch.001.csv"}


def test_pages_and_files_have_the_same_lines(tmp_path: Path) -> None:
    """One writer makes both: the drawn paths do not differ."""
    figure = FIGURES["curves"]()
    save_plot(figure, tmp_path / "curves", ("svg",))
    paths = [
        re.findall(r'<path d="([^"]+)" clip', text)
        for text in ((tmp_path / "curves.svg").read_text(), figure_to_svg(FIGURES["curves"](), "curves"))
    ]
    assert paths[0]
    assert paths[0] == paths[1]


def test_formats_are_read_in_their_order() -> None:
    assert parse_formats("png") == ("png",)
    assert parse_formats("svg, png,svg") == ("svg", "png")
    with pytest.raises(
        ConfigError, match=r"plots png,gif: 'gif' is no format of a plot; give png, svg or pdf, or some"
    ):
        parse_formats("png,gif")
    with pytest.raises(ConfigError, match="'' is no format"):
        parse_formats("")
