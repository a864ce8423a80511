from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lightning_seg.plots.confusion_matrix import draw_confusion_matrix
from lightning_seg.plots.figures import figure_to_array


def test_rows_are_shares_of_the_true_class_and_cells_hold_counts() -> None:
    matrix = torch.tensor([[3, 1, 0], [0, 5, 0], [0, 0, 0]])
    axis = draw_confusion_matrix(matrix, ("daisy", "roses", "tulips"), "val split").axes[0]

    shown: NDArray[np.float64] = np.ma.filled(np.ma.asarray(axis.images[0].get_array()), np.nan)
    np.testing.assert_array_equal(shown[:2], [[0.75, 0.25, 0], [0, 1, 0]])
    assert np.isnan(shown[2]).all()
    assert {(*text.get_position(), text.get_text()) for text in axis.texts} == {(0, 0, "3"), (1, 0, "1"), (1, 1, "5")}
    assert axis.get_title() == "val split: 8 of 9 right"
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")
    for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
        assert [label.get_text() for label in labels] == ["daisy", "roses", "tulips"]


@pytest.mark.parametrize(("num_classes", "has_counts"), [(20, True), (21, False)])
def test_many_classes_have_no_room_for_numbers(num_classes: int, has_counts: bool) -> None:
    names = [f"class {index}" for index in range(num_classes)]
    axis = draw_confusion_matrix(torch.ones(num_classes, num_classes, dtype=torch.int64), names, "test split").axes[0]
    assert len(axis.texts) == (num_classes**2 if has_counts else 0)


def test_120_names_do_not_lie_over_each_other() -> None:
    names = [f"Old English breed {index}" for index in range(120)]
    figure = draw_confusion_matrix(torch.eye(120, dtype=torch.int64), names, "test split")
    figure_to_array(figure)
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    tops = sorted((box.y0, box.y1) for box in boxes)
    assert len(tops) == 120
    assert all(upper[0] > lower[1] - 1 for lower, upper in pairwise(tops))
    assert min(box.x0 for box in boxes) >= 0
