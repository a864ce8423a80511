"""How well objects are found, by hand."""

import pytest
import torch
from torch import Tensor

from lightning_seg.batch import BoxPrediction
from lightning_seg.metrics.detection import DetectionScores

SIZE = (80, 100)


def found(boxes: list[list[float]], scores: list[float], labels: list[int], highest: tuple[int, int]) -> BoxPrediction:
    """With heat maps of 4 rows and 5 columns, cells of 20 pixels, that are highest in this cell."""
    maps = torch.zeros(2, 4, 5)
    maps[:, highest[0], highest[1]] = 1
    empty = torch.empty(0)
    return BoxPrediction(
        torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores), torch.tensor(labels), maps, empty, empty, empty
    )


def box(*sides: float) -> Tensor:
    return torch.tensor([sides])


def test_what_is_met_and_pointed_at() -> None:
    scores = DetectionScores()
    # The middle of cell (1, 2) is x 50, y 30. Intersection over union 100 * 2 / 3 / 200 = one third.
    scores.update(found([[40, 20, 60, 30]], [0.9], [0], (1, 2)), 0, box(40, 25, 60, 35), SIZE)
    # Found at the right place, but taken for the other class; the cell's middle, x 10, y 70, is outside.
    scores.update(found([[40, 25, 60, 35]], [0.8], [1], (3, 0)), 0, box(40, 25, 60, 35), SIZE)
    values = scores.compute()
    assert values["pointing_game"] == 0.5
    assert values["recall_30"] == 0.5
    assert values["map_50"] == 0
    # One of two boxes is found, and nothing before it was wrong: precision 1 up to recall 0.5, on 101 points.
    assert values["map_30"] == pytest.approx(51 / 101, abs=1e-3)


def test_pictures_without_boxes_are_left_out() -> None:
    scores = DetectionScores()
    scores.update(found([[0, 0, 9, 9]], [0.9], [0], (0, 0)), 0, torch.empty(0, 4), SIZE)
    assert scores.compute() == {}


def test_nothing_found_is_nothing_met() -> None:
    scores = DetectionScores()
    scores.update(found([], [], [], (0, 0)), 1, box(0, 0, 15, 15), SIZE)
    assert scores.compute() == {"pointing_game": 1, "recall_30": 0, "map_30": 0, "map_50": 0}


def test_counting_begins_anew() -> None:
    scores = DetectionScores()
    scores.update(found([], [], [], (0, 0)), 1, box(0, 0, 15, 15), SIZE)
    scores.reset()
    assert scores.compute() == {}
    scores.update(found([[0, 0, 15, 15]], [0.5], [1], (0, 0)), 1, box(0, 0, 15, 15), SIZE)
    assert scores.compute() == pytest.approx({"pointing_game": 1, "recall_30": 1, "map_30": 1, "map_50": 1}, abs=1e-6)
