"""The comparison that decides whether a file is written."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from lightning_seg.errors import ExportError
from lightning_seg.export.proof import Differences, check, check_numbers, compare, several_sizes
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
        "picture": np.zeros(len(sides), np.int64),
        "boxes": np.array(sides, np.float32).reshape(-1, 4),
        "scores": np.array(scores, np.float32),
        "labels": np.array(labels, np.int64),
        "maps": np.zeros((1, 2, 3, 3)),
        "whole": np.zeros((1, 2)),
        "window_probs": np.zeros((1, 4, 2)),
        "window_boxes": np.zeros((4, 4)),
    }


def labels(probs: list[float], label: int) -> dict[str, Any]:
    return {
        "label": np.array([label]),
        "probs": np.array([probs]),
        "confidence": np.array([max(probs)]),
        "entropy": np.array([0.0]),
    }


def differences(kind: Kind, expected: dict[str, Any], given: dict[str, Any]) -> Differences:
    return compare(kind, [("photo.jpg", PICTURE[None])], lambda picture: expected, lambda images: given, 0.4)


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
    pictures = [("good.jpg", PICTURE[None]), ("bad.jpg", PICTURE[None])]
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


def test_pictures_are_shown_at_odd_sizes_too_and_several_at_once() -> None:
    pictures: list[tuple[str, Array]] = [(f"{n}.jpg", np.full((20, 30, 3), n, np.uint8)) for n in range(2)]
    shapes = [images.shape[:3] for _, images in several_sizes(pictures)]
    assert shapes[:2] == [(1, 20, 30), (1, 20, 30)]
    assert shapes[2:] == [(1, 19, 29), (1, 4, 30), (1, 40, 60), (1, 47, 33), (1, 20, 30), (3, 20, 30)]


def test_each_picture_of_a_batch_has_its_own_answer() -> None:
    """The second one of three is wrong."""
    both = {name: np.concatenate([value] * 3) for name, value in masks().items()}
    both["mask"][1, 0, :8] = 1
    found = compare("masks", [("three", np.stack([PICTURE] * 3))], lambda picture: masks(), lambda images: both, 0.4)
    assert (found.pictures, found.same, found.is_small) == (3, 1 - 8 / 4000, False)


def test_boxes_of_a_batch_are_those_of_their_picture() -> None:
    one, two = boxes([[0, 0, 9, 9]], [0.9], [1]), boxes([], [], [])
    both = {name: np.concatenate([one[name], two[name]]) for name in one}
    # Of one size, all pictures have windows in the same places.
    both |= {"picture": np.array([0]), "window_boxes": one["window_boxes"]}
    expected = iter([one, two, two, one])
    batches = [("both", np.stack([PICTURE] * 2))]
    assert compare("boxes", batches, lambda picture: next(expected), lambda images: both, 0.4).is_small
    assert not compare("boxes", batches, lambda picture: next(expected), lambda images: both, 0.4).is_small


@dataclass
class Merged:
    """Windows of the task and of the file, and what the task merges those of the file to."""

    task: dict[str, Any]
    file: dict[str, Any]
    objects: dict[str, Any]

    def windows(self, images: Array, row: int) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.task, self.file

    def merged(self, images: Array, row: int) -> dict[str, Any]:
        return self.objects


TWO = boxes([[40, 10, 80, 50], [10, 10, 50, 50]], [0.9, 0.9], [1, 1])
BATCHES = [("photo.jpg", PICTURE[None])]


@pytest.mark.parametrize(("merged", "passes"), [([10, 10, 50, 50], True), ([10, 10, 50, 51], False)])
def test_where_rounding_decides_the_same_windows_must_give_the_same_objects(merged: list[float], passes: bool) -> None:
    """The task began its object with another one of two windows that are equally likely."""
    expected, given = boxes([[40, 10, 80, 50]], [0.9], [1]), boxes([[10, 10, 50, 50]], [0.9], [1])
    merging = Merged(TWO, TWO, boxes([merged], [0.9], [1]))
    found = compare("boxes", BATCHES, lambda _: expected, lambda _: given, 0.4, merging)
    assert (found.rounded, found.is_small) == (int(passes), passes)
    assert not differences("boxes", expected, given).is_small


@pytest.mark.parametrize(
    "windows",
    [
        boxes([[500, 500, 564, 564], [10, 10, 50, 50]], [0.9, 0.9], [1, 1]),
        boxes([[10, 10, 50, 50]], [0.9], [1]),
        boxes([*TWO["boxes"].tolist(), [1, 1, 9, 9]], [0.9, 0.9, 0.3], [1, 1, 1]),
    ],
    ids=["elsewhere", "one is missing", "another threshold"],
)
def test_rounding_is_no_excuse_for_other_windows(windows: dict[str, Any]) -> None:
    expected, given = boxes([[40, 10, 80, 50]], [0.9], [1]), boxes([[10, 10, 50, 50]], [0.9], [1])
    found = compare("boxes", BATCHES, lambda _: expected, lambda _: given, 0.4, Merged(TWO, windows, given))
    assert (found.rounded, found.is_small) == (0, False)


@pytest.mark.parametrize(("name", "by"), [("window_probs", 0.002), ("window_boxes", 0.6)])
def test_windows_agree_in_probability_and_place(name: str, by: float) -> None:
    one, other = boxes([], [], []), boxes([], [], [])
    other[name] = other[name] + by
    assert differences("boxes", one, one).is_small
    assert not differences("boxes", one, other).is_small


def test_the_worst_picture_is_the_one_that_is_furthest_beyond_a_limit() -> None:
    """Half of the pixels at first, then a little more in the probabilities."""
    given = iter([masks(2000, 1e-4), masks(0, 1.1e-4)])
    batches = [("half.jpg", PICTURE[None]), ("fine.jpg", PICTURE[None])]
    assert compare("masks", batches, lambda _: masks(), lambda _: next(given), 0.4).worst == "half.jpg"


def test_a_reduced_precision_that_answers_with_no_numbers_is_refused() -> None:
    with pytest.raises(ExportError, match=r"no numbers at photo.jpg; nothing is written"):
        check_numbers(differences("masks", masks(), masks(probs=np.nan)))
    check_numbers(differences("masks", masks(), masks(probs=0.3)))
