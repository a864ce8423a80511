"""Figures that stand in a page, whatever classes are called."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from lightning_seg.report.confusion import Confusion
from lightning_seg.report.contents import Content, read_content
from lightning_seg.report.figures import confusion_svg, curve_quantities, curves_svg, pixels_svg
from lightning_seg.report.pixels import PixelConfusion
from lightning_seg.report.tested import PictureResult
from tests.report.test_records import LABELS, made

NAMES = ["<script>alert(1)</script>", '$x^2$ & "b"', "plain"]


def labelled(truth: str, prediction: str) -> PictureResult:
    return PictureResult("a.jpg", truth, prediction, 0.5, 1.0, float(truth == prediction), "accuracy", "")


def texts(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.fixture
def content(tmp_path: Path) -> Content:
    table = "epoch,step,val/loss,val/ece,val/iou/a,train/loss\n0,1,3,0.1,0.2,4\n1,2,2,0.2,0.3,3\n"
    return made(tmp_path, LABELS, metrics__csv=table)


def test_confusions_are_text_that_can_be_read_aloud() -> None:
    results = [labelled(NAMES[0], NAMES[0]), labelled(NAMES[0], NAMES[1]), labelled(NAMES[2], NAMES[2])]
    confusion = Confusion.of(results, NAMES)
    assert confusion is not None
    svg = confusion_svg(confusion)
    assert "<script" not in svg
    shown = texts(svg)
    assert shown.count(NAMES[0]) == shown.count(NAMES[1]) == 2
    assert shown.count("1") == 3


def luminance(colour: np.ndarray) -> float:
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    lower, higher = sorted([luminance(one), luminance(other)])
    return (higher + 0.05) / (lower + 0.05)


def rgb(text: str) -> np.ndarray:
    return np.array([int(text[start : start + 2], 16) for start in (1, 3, 5)]) / 255


@pytest.mark.parametrize(("page", "letters"), [("#ffffff", "#1d1f21"), ("#16181a", "#e4e6e8")])
def test_numbers_can_be_read_on_their_cells_on_light_and_dark_pages(page: str, letters: str) -> None:
    confusion = Confusion.of([*[labelled("a", "a")] * 9, labelled("a", "b"), labelled("b", "b")], ["a", "b"])
    assert confusion is not None
    cells = re.findall(r"fill: (#\w{6}); fill-opacity: ([\d.]+)", confusion_svg(confusion))
    assert len(cells) == 3
    assert {float(opacity) for _, opacity in cells} == {0.157, 0.773, 0.85}
    for colour, opacity in cells:
        laid = float(opacity) * rgb(colour) + (1 - float(opacity)) * rgb(page)
        # What WCAG asks of texts.
        assert contrast(laid, rgb(letters)) >= 4.5


def test_120_classes_have_no_numbers_and_a_small_figure() -> None:
    names = [f"breed {number}" for number in range(120)]
    results = [labelled(names[number % 120], names[number * 7 % 120]) for number in range(8580)]
    confusion = Confusion.of(results, names)
    assert confusion is not None
    svg = confusion_svg(confusion)
    assert len(svg) < 300_000
    assert len(texts(svg)) == 2 * 120 + 2


def test_figures_of_a_page_have_names_of_their_own(content: Content) -> None:
    svgs = [curves_svg(content, quantity) for quantity in curve_quantities(content)]
    assert curve_quantities(content) == ["loss", "ece"]
    names = [re.findall(r'\bid="([^"]+)"', svg) for svg in svgs]
    assert all(len(found) == len(set(found)) for found in names)
    assert not set(names[0]) & set(names[1])
    for svg, found in zip(svgs, names, strict=True):
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)) <= {(one, "") for one in found} | {
            ("", one) for one in found
        }
        assert "#000000" not in svg


def test_curves_have_the_names_of_their_quantity_and_splits(content: Content) -> None:
    shown = texts(curves_svg(content, "loss"))
    assert {"loss", "training", "validation", "epochs"} <= set(shown)


def test_thousands_of_epochs_are_a_line_of_bounded_size(tmp_path: Path) -> None:
    rows = "".join(f"{epoch},{epoch},{1 / (1 + epoch) + epoch % 7 / 50}\n" for epoch in range(5000))
    content = made(tmp_path, LABELS, metrics__csv=f"epoch,step,val/loss\n{rows}")
    assert len(curves_svg(content, "loss")) < 250_000


def test_a_run_without_epochs_has_no_curves(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("data: {}\n")
    assert curve_quantities(read_content(tmp_path)) == []


def test_pixels_are_told_in_percent_of_their_true_class() -> None:
    shown = texts(pixels_svg(PixelConfusion(("sky", "tree"), ((300, 100), (1, 599)))))
    assert {"75.0", "25.0", "0.2", "99.8"} <= set(shown)
