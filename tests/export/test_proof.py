"""The comparison that decides whether a file is written."""

from typing import Any

import numpy as np
import pytest

from lightning_seg.errors import ExportError
from lightning_seg.export.proof import Differences, check, compare, several_sizes
from lightning_seg.images import Array
from lightning_seg.model_file import Kind

PICTURE = np.zeros((20, 30, 3), np.uint8)


def masks(wrong: int = 0, probs: float = 0.0) -> dict[str, Any]:
    """Of 4,000 pixels, so many of another class, and probabilities that are off by as much."""
    mask = np.zeros((1, 40, 100), np.uint8)
    mask.reshape(-1)[:wrong] = 1
    many = np.full((1, 2, 40, 100), 0.5, np.float32)
    many[0, 1, 3, 3] += probs
    return {"mask": mask, "probs": many, "confidence": np.array([0.5]), "entropy": np.array([1.0])}


def boxes(sides: list[list[float]], scores: list[float], labels: list[int]) -> dict[str, Any]:
    return {
        "boxes": np.array(sides, np.float32).reshape(-1, 4),
        "scores": np.array(scores, np.float32),
        "labels": np.array(labels, np.int64),
        "maps": np.zeros((1, 2, 3, 3)),
        "whole": np.zeros((1, 2)),
        "window_probs": np.zeros((1, 4, 2)),
    }


def labels(probs: list[float], label: int) -> dict[str, Any]:
    return {
        "label": np.array([label]),
        "probs": np.array([probs]),
        "confidence": np.array([max(probs)]),
        "entropy": np.array([0.0]),
    }


def differences(kind: Kind, expected: dict[str, Any], given: dict[str, Any]) -> Differences:
    return compare(kind, [("photo.jpg", PICTURE)], lambda picture: expected, lambda images: given, 0.4)


@pytest.mark.parametrize(("wrong", "passes"), [(0, True), (4, True), (5, False)])
def test_one_pixel_of_a_thousand_may_be_of_another_class(wrong: int, passes: bool) -> None:
    found = differences("masks", masks(), masks(wrong))
    assert found.same == 1 - wrong / 4000
    assert found.is_small is passes


@pytest.mark.parametrize(("probs", "passes"), [(0.0009, True), (0.0011, False), (np.nan, False)])
def test_probabilities_may_differ_by_a_thousandth(probs: float, passes: bool) -> None:
    assert differences("masks", masks(), masks(probs=probs)).is_small is passes


def test_the_refusal_names_the_worst_picture_and_the_limits() -> None:
    good, bad = masks(), masks(400)
    pictures = [("good.jpg", PICTURE), ("bad.jpg", PICTURE)]
    given = iter([good, bad])
    found = compare("masks", pictures, lambda picture: good, lambda images: next(given), 0.4)
    with pytest.raises(ExportError, match=r"most at bad.jpg: 90 % pixels of the same class.*nothing is written"):
        check(found, "masks")


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        (boxes([[10, 10, 50, 50]], [0.9], [1]), True),
        (boxes([[10, 10, 50.4, 50]], [0.9], [1]), True),
        (boxes([[10, 10, 50.6, 50]], [0.9], [1]), False),
        (boxes([[10, 10, 50, 50]], [0.89], [1]), False),
        (boxes([[10, 10, 50, 50]], [0.9], [0]), False),
        (boxes([], [], []), False),
        # An object that rounding has lifted over the threshold.
        (boxes([[10, 10, 50, 50], [1, 1, 9, 9]], [0.9, 0.4004], [1, 1]), True),
        (boxes([[10, 10, 50, 50], [1, 1, 9, 9]], [0.9, 0.42], [1, 1]), False),
    ],
)
def test_boxes_may_differ_by_half_a_pixel(given: dict[str, Any], passes: bool) -> None:
    assert differences("boxes", boxes([[10, 10, 50, 50]], [0.9], [1]), given).is_small is passes


def test_of_two_equally_likely_classes_either_may_win() -> None:
    assert differences("labels", labels([0.4995, 0.5005], 1), labels([0.5003, 0.4997], 0)).is_small
    assert not differences("labels", labels([0.2, 0.8], 1), labels([0.2, 0.8], 0)).is_small


def test_pictures_are_shown_at_odd_sizes_too() -> None:
    pictures: list[tuple[str, Array]] = [(f"{n}.jpg", np.zeros((20, 30, 3), np.uint8)) for n in range(5)]
    shapes = [picture.shape[:2] for _, picture in several_sizes(pictures)]
    assert shapes == [(20, 30), (19, 29), (20, 30), (4, 30), (20, 30), (40, 60), (20, 30), (47, 33), (20, 30)]
