"""Curves of a comparison: what is drawn, and where."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from lightning_seg.plots.comparison import BandCurve, draw_comparison
from lightning_seg.plots.figures import figure_to_array

CURVES = [
    BandCurve("none", [1, 2, 3, 4, 5, 6], [0.1, 0.5, 0.6, 0.61, 0.60, 0.62], [0.02] * 6),
    BandCurve("flips", [1, 2, 3, 4, 5, 6], [0.1, 0.4, 0.55, 0.6, 0.65, 0.7], [0.01] * 6),
]


def test_a_line_and_a_band_for_each() -> None:
    (axis,) = draw_comparison(CURVES, "val/accuracy", 3).axes
    assert [line.get_label() for line in axis.get_lines()] == ["none", "flips"]
    assert axis.get_lines()[1].get_ydata() == pytest.approx(CURVES[1].means)
    bands = [part for part in axis.collections if isinstance(part, PolyCollection)]
    assert len(bands) == 2
    heights = np.asarray(bands[0].get_paths()[0].vertices)[:, 1]
    assert [heights.min(), heights.max()] == pytest.approx([0.08, 0.64])
    assert axis.get_title() == "val/accuracy, mean of 3 seeds ± standard deviation"


def test_one_seed_has_no_band() -> None:
    curves = [curve._replace(deviations=[0.0] * 6) for curve in CURVES]
    (axis,) = draw_comparison(curves, "val/accuracy", 1).axes
    assert not axis.collections
    assert axis.get_title() == "val/accuracy, one seed"


def test_zoomed_shows_the_last_half_as_high_as_its_data() -> None:
    (axis,) = draw_comparison(CURVES, "val/accuracy", 3, [2, 5], zoomed=True).axes
    none, flips, crossing = axis.get_lines()
    assert np.asarray([none.get_xdata(), flips.get_xdata()]).tolist() == [[4, 5, 6]] * 2
    low, high = axis.get_ylim()
    assert 0.55 < low < 0.58
    assert 0.71 < high < 0.74
    # The other one is not in sight.
    assert np.asarray(crossing.get_xdata()).tolist() == [5, 5]


def test_a_crossing_is_marked_once() -> None:
    figure = draw_comparison(CURVES, "val/accuracy", 3, [5, 5, 2])
    marks = [line for line in figure.axes[0].get_lines() if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in marks] == [5, 2]  # type: ignore[index]
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["none", "flips", "the lead changes"]
    assert figure_to_array(figure).shape == (480, 800, 3)
