"""How well objects are found, by hand."""

import pytest
import torch
from torch import Tensor

from lightning_seg.batch import BoxPrediction
from lightning_seg.metrics.detection import CentreScores, DetectionScores

SIZE = (80, 100)
CAT, DOG = torch.tensor([0]), torch.tensor([1])


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
    scores.update(found([[40, 20, 60, 30]], [0.9], [0], (1, 2)), box(40, 25, 60, 35), CAT, SIZE)
    # Found at the right place, but taken for the other class; the cell's middle, x 10, y 70, is outside.
    scores.update(found([[40, 25, 60, 35]], [0.8], [1], (3, 0)), box(40, 25, 60, 35), CAT, SIZE)
    values = scores.take(())
    assert values["pointing_game"] == 0.5
    assert values["recall_30"] == 0.5
    assert values["map_50"] == 0
    # One of two boxes is found, and nothing before it was wrong: precision 1 up to recall 0.5, on 101 points.
    assert values["map_30"] == pytest.approx(51 / 101, abs=1e-3)


def test_a_picture_of_several_labels() -> None:
    """Both maps are highest in cell (3, 0), which the dog's first box holds and the cat's does not."""
    cat, left, right = [40.0, 20, 60, 40], [0.0, 60, 20, 80], [80.0, 0, 100, 20]
    scores = DetectionScores()
    prediction = found([cat, left, cat], [0.95, 0.8, 0.9], [1, 1, 0], (3, 0))
    scores.update(prediction, torch.tensor([cat, left, right]), torch.tensor([0, 1, 1]), SIZE)
    values = scores.take(["cat", "dog"])
    assert values["pointing_game"] == 0.5
    assert values["recall_30"] == pytest.approx(2 / 3)
    for name in ("map_30", "map_50"):
        assert values[f"{name}/cat"] == pytest.approx(1)
        # A false dog comes first, so precision is a half up to recall 0.5, on 101 points.
        assert values[f"{name}/dog"] == pytest.approx(51 / 101 / 2, abs=1e-3)
        assert values[name] == pytest.approx((1 + 51 / 101 / 2) / 2, abs=1e-3)


def test_labels_without_a_box_have_no_value() -> None:
    scores = DetectionScores()
    scores.update(found([[0, 0, 9, 9]], [0.9], [0], (0, 0)), box(0, 0, 15, 15), DOG, SIZE)
    assert set(scores.take(["cat", "dog"])) == {
        *("pointing_game", "recall_30", "map_30", "map_50"),
        *("map_30/dog", "map_50/dog"),
    }


def test_the_middle_of_a_picture_as_a_guess() -> None:
    scores = CentreScores()
    # The guess is 25, 20, 75, 60: it shares 1,200 of 2,000 pixels with the first box, and none with the second.
    for true in (box(25, 20, 75, 44), box(0, 0, 15, 15)):
        # Whatever the detector has found.
        scores.update(found([[0, 0, 15, 15]], [0.9], [1], (0, 0)), true, DOG, SIZE)
    expected = {"pointing_game": 0.5, "recall_30": 0.5, "map_30": 51 / 101, "map_50": 51 / 101}
    named = {f"centre/{name}": value for name, value in expected.items()}
    assert scores.take(["cat", "dog"]) == pytest.approx(named, abs=1e-3)


def test_what_is_found_where_nothing_is_counts_as_wrong() -> None:
    scores = DetectionScores()
    nothing = torch.empty(0, 4), torch.empty(0, dtype=torch.int64)
    scores.update(found([[0, 0, 9, 9]], [0.9], [1], (0, 0)), *nothing, SIZE)
    assert scores.compute(["dog"]) == dict.fromkeys(
        ["pointing_game", "recall_30", "map_30", "map_30/dog", "map_50", "map_50/dog"]
    )
    scores.update(found([[0, 0, 15, 15]], [0.5], [1], (0, 0)), box(0, 0, 15, 15), DOG, SIZE)
    # The surer one of two dogs is wrong: precision a half wherever one of one is found.
    assert scores.take(()) == pytest.approx(
        {"pointing_game": 1, "recall_30": 1, "map_30": 0.5, "map_50": 0.5}, abs=1e-6
    )


def test_nothing_found_is_nothing_met() -> None:
    scores = DetectionScores()
    scores.update(found([], [], [], (0, 0)), box(0, 0, 15, 15), DOG, SIZE)
    assert scores.take(()) == {"pointing_game": 1, "recall_30": 0, "map_30": 0, "map_50": 0}


def test_counting_begins_anew() -> None:
    scores = DetectionScores()
    scores.update(found([], [], [], (0, 0)), box(0, 0, 15, 15), DOG, SIZE)
    scores.reset()
    assert scores.take(()) == {}
    scores.update(found([[0, 0, 15, 15]], [0.5], [1], (0, 0)), box(0, 0, 15, 15), DOG, SIZE)
    assert scores.take(()) == pytest.approx({"pointing_game": 1, "recall_30": 1, "map_30": 1, "map_50": 1}, abs=1e-6)
