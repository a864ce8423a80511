"""Lines of all figures are told apart by people who lack the green cones, and on grey paper."""

from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lightning_seg.plots.comparison import BandCurve, draw_comparison
from lightning_seg.plots.curves import draw_curves
from lightning_seg.plots.figures import figure_to_array
from lightning_seg.plots.lines import MARKED, draw_line
from lightning_seg.plots.palette import LINES
from lightning_seg.plots.thresholds import draw_thresholds
from tests.plots.test_palette import SEEN, least_distance

STEPS = torch.linspace(0, 0.9, 50)


def curves() -> Figure:
    return draw_curves({"train/loss": {0: 1.0, 1: 0.5}, "val/loss": {0: 1.1, 1: 0.9}}, ["loss"])


def comparison(number: int = 20) -> Figure:
    variants = [BandCurve(f"v{index}", [1, 2, 3], [0.1 * index] * 3, [0.0] * 3) for index in range(number)]
    return draw_comparison(variants, "val/accuracy", 1)


def thresholds() -> Figure:
    return draw_thresholds(STEPS, STEPS, 1 - STEPS, STEPS / 2, 0.3, "a")


def lines_of(figure: Figure) -> list[Line2D]:
    """Without those that mark a place."""
    return [line for line in figure.axes[0].get_lines() if line.get_linestyle() != ":"]


def looks_of(line: Line2D) -> tuple[str, str]:
    """Marker and dashes, all that is left of a line without its colour."""
    return str(line.get_marker()), f"{line.get_linestyle()} {line._unscaled_dash_pattern}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("drawn", [curves, comparison, thresholds])
def test_lines_differ_in_marker_or_dashes(drawn: type) -> None:
    lines = lines_of(drawn())
    assert len(lines) == {curves: 2, comparison: 20, thresholds: 3}[drawn]
    for one, other in combinations(lines, 2):
        assert looks_of(one) != looks_of(other)
    # The first ones, which most figures have, in both.
    for one, other in combinations(lines[:4], 2):
        assert looks_of(one)[0] != looks_of(other)[0]
        assert looks_of(one)[1] != looks_of(other)[1]
    assert all(line.get_marker() not in ("", "None") for line in lines)


@pytest.mark.parametrize("sight", SEEN)
@pytest.mark.parametrize("drawn", [curves, comparison, thresholds])
def test_lines_are_told_apart_by_colour_or_else_by_marks(drawn: type, sight: str) -> None:
    lines = lines_of(drawn())
    for one, other in combinations(lines, 2):
        colours = np.array([to_rgb(str(line.get_color())) for line in (one, other)])
        same = one.get_color() == other.get_color()
        assert same or least_distance(colours, SEEN[sight]) >= 17
        assert not same or looks_of(one)[0] != looks_of(other)[0]


def test_what_has_the_same_grey_has_another_mark() -> None:
    """Two colours may be one grey in print, as vermillion and blue nearly are."""
    grey = {colour: float(np.dot(to_rgb(colour), [0.299, 0.587, 0.114])) for colour in LINES}
    alike = [pair for pair in combinations(LINES, 2) if abs(grey[pair[0]] - grey[pair[1]]) < 0.1]
    assert alike
    drawn = {str(line.get_color()): looks_of(line) for line in lines_of(comparison(len(LINES)))}
    assert all(drawn[one] != drawn[other] for one, other in alike)


def test_grey_pictures_of_two_lines_differ() -> None:
    """By the pixels themselves: the same curve drawn as the first and as the second line, without colours."""

    def grey(index: int) -> np.ndarray:
        figure = draw_curves({}, ["loss"])
        axis: Axes = figure.axes[0]
        axis.clear()
        draw_line(axis, [1, 2, 3, 4, 5, 6], [1, 4, 2, 5, 3, 6], index, "").set_color("black")
        return figure_to_array(figure)[..., 0]

    first, second = grey(0), grey(1)
    assert (first != second).sum() > 0.1 * (first < 200).sum()
    assert np.array_equal(first, grey(0))


def test_a_long_line_has_few_marks() -> None:
    figure = draw_curves({"train/loss": dict.fromkeys(range(1000), 1.0)}, ["loss"])
    start, every = figure.axes[0].get_lines()[0].get_markevery()  # type: ignore[misc]
    assert (start, every) == (0, 1000 / MARKED)


@pytest.mark.parametrize(
    ("quantity", "loss_is", "label"),
    [
        ("loss", "cross_entropy", "loss (nats)"),
        ("loss", "cross_entropy + 0.5 dice_loss", "loss: cross entropy (nats) + 0.5 Dice loss"),
        ("loss", "dice_loss", "loss: Dice loss"),
        ("loss", None, "loss"),
        ("cross_entropy", None, "cross entropy (nats)"),
        ("miou", "cross_entropy", "mean IoU (0 to 1)"),
        ("macro_f1", None, "macro F1 (0 to 1)"),
        ("my_number", None, "my number"),
    ],
)
def test_axes_have_labels_and_units(quantity: str, loss_is: str | None, label: str) -> None:
    figure = draw_curves({f"train/{quantity}": {0: 1.0}}, [quantity], loss_is)
    (axis,) = figure.axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("epochs", label)
    legend = axis.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]


def test_axes_of_other_figures_have_them_too() -> None:
    assert [axis.get_ylabel() for axis in thresholds().axes] == ["share (0 to 1)", "precision (0 to 1)"]
    assert [axis.get_xlabel() for axis in thresholds().axes] == ["threshold (probability)", "recall (0 to 1)"]
    (axis,) = comparison().axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("epochs", "validation accuracy (0 to 1)")
