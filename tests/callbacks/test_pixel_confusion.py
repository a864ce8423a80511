"""The table of pixels by true and predicted class that a test of masks writes, on pictures that are counted by hand."""

from pathlib import Path

import pytest

from lightning_seg.report.pixels import read_pixels
from tests.callbacks.by_colour import PIXELS, Samples, classifier, mask_task, measured


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # White pixels are predicted as car and black ones as ground. Of the car's five pixels a black one is missed,
        # the ground's one is white; six pixels are ignored.
        ("one", [("ground", (0, 1)), ("car", (1, 4))]),
        ("several", [("ground", (0, 1, 0)), ("car", (1, 4, 0)), ("sky", (0, 0, 0))]),
    ],
)
def test_pixels_of_all_test_pictures_are_counted(
    kind: str, expected: list[tuple[str, tuple[int, ...]]], num_workers: int, tmp_path: Path
) -> None:
    task, _ = mask_task(kind)
    measured(task, Samples("mask", *PIXELS), tmp_path, num_workers)
    found = read_pixels(tmp_path / "confusion_pixels.csv")
    assert found is not None
    assert list(zip(found.class_names, found.counts, strict=True)) == expected
    assert (found.right, found.total) == (4, 6)
    assert (tmp_path / "confusion_pixels.csv").read_text().splitlines()[:2] == [
        "truth,prediction,pixels",
        "ground,ground,0",
    ]


def test_a_classifier_has_no_pixels(tmp_path: Path) -> None:
    measured(classifier(), Samples("label", [[0], [1]], [0, 2]), tmp_path)
    assert not list(tmp_path.glob("confusion_pixels*"))
