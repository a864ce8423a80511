"""The benchmark of a detector's threshold: what it counts of pictures that are small enough for paper."""

import numpy as np
import pytest
import torch

from benchmarks.detector_threshold import Picture, Seen, above, beside, count, tell_labels
from lightning_seg.inference.merging import Boxes

CAT, DOG = 0, 1


def seen(labels: tuple[int, ...], animals: list[list[float]], windows: list[tuple[list[float], float, int]]) -> Seen:
    boxes, scores, classes = zip(*windows, strict=True)
    return Seen(labels, torch.tensor(animals), Boxes(torch.tensor(boxes), torch.tensor(scores), torch.tensor(classes)))


def examples() -> list[Seen]:
    """A cat that is seen twice at one place, as a dog, too, and beside itself; a dog that is seen less surely."""
    cat = [
        ([0.0, 0.0, 10.0, 10.0], 0.9, CAT),
        ([1.0, 0.0, 11.0, 10.0], 0.8, CAT),
        ([0.0, 0.0, 10.0, 10.0], 0.5, DOG),
        ([40.0, 40.0, 50.0, 50.0], 0.6, CAT),
    ]
    return [seen((CAT,), [[0.0, 0, 20, 20]], cat), seen((DOG,), [[0.0, 0, 20, 20]], [([5.0, 5, 15, 15], 0.55, DOG)])]


@pytest.mark.parametrize(
    ("merge", "threshold", "boxes", "hits"),
    # Merged, the cat at its place is one box.
    [("fusion", 0.5, 4, 2), ("nms", 0.5, 4, 2), ("none", 0.5, 5, 2), ("fusion", 0.52, 3, 2), ("fusion", 0.7, 1, 1)],
)
def test_claims_are_counted_as_on_paper(merge: str, threshold: float, boxes: int, hits: int) -> None:
    told = count(examples(), merge, 0.35, threshold)  # type: ignore[arg-type]
    assert told == (boxes, hits, 2, 2)
    assert told.precision == hits / boxes
    assert told.recall == hits / 2
    assert told.f1 == pytest.approx(2 * told.precision * told.recall / (told.precision + told.recall))


def test_a_lone_cat_of_which_a_dog_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    tell_labels(examples())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| threshold | 1 cats: own | other | nothing | 1 dogs: own | other | nothing |"
    by_threshold = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:] for line in lines[2:]}
    assert [cell.split()[0] for cell in by_threshold["0.5"]] == ["1", "1", "0", "1", "0", "0"]
    assert [cell.split()[0] for cell in by_threshold["0.55"]] == ["1", "0", "0", "1", "0", "0"]
    assert [cell.split()[0] for cell in by_threshold["0.6"]] == ["1", "0", "0", "0", "0", "1"]


def test_animals_stay_where_they_are_when_pictures_are_joined() -> None:
    """Of 20 x 30 and 10 x 10 pixels: both become 10 pixels high, or 10 pixels wide."""
    large = Picture(np.zeros((20, 30, 3), np.uint8), (CAT,), torch.tensor([[10.0, 0.0, 20.0, 20.0]]))
    small = Picture(np.full((10, 10, 3), 255, np.uint8), (DOG,), torch.tensor([[2.0, 4.0, 8.0, 10.0]]))
    row, column = beside(large, small), above(large, small)
    assert row.image.shape == (10, 25, 3)
    assert (row.image[:, 15:] == 255).all()
    assert not row.image[:, :15].any()
    assert row.labels == column.labels == (CAT, DOG)
    assert row.animals.tolist() == [[5, 0, 10, 10], [17, 4, 23, 10]]
    # 30 pixels become 10, and 20 become 7; boxes keep the exact factor.
    assert column.image.shape == (17, 10, 3)
    assert column.animals[1].tolist() == [2, 11, 8, 17]
    torch.testing.assert_close(column.animals[0], torch.tensor([10 / 3, 0, 20 / 3, 20 / 3]))
