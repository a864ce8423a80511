"""Where windows lie, by hand."""

import pytest
import torch

from lightning_seg.inference.windows import Grid, cover

VGG = Grid(224, 32)


@pytest.mark.parametrize(
    ("size", "scale", "expected"),
    [
        ((448, 448), 2.0, (448, 448)),
        # 1280 * 448 / 956 = 599.8, of which 18.7 strides make 19.
        ((956, 1280), 2.0, (448, 608)),
        ((1, 1), 2.0, (448, 448)),
        ((1, 3), 1.0, (224, 672)),
        ((1000, 224), 1.0, (992, 224)),
        ((301, 303), 1.6, (352, 352)),
    ],
)
def test_the_shorter_side_holds_so_many_windows(size: tuple[int, int], scale: float, expected: tuple[int, int]) -> None:
    assert VGG.level_size(size, scale) == expected


def test_windows_of_the_tutorial() -> None:
    """64 windows of a picture of 448 pixels, row by row; the 49 of the tutorial are the first 7 rows and columns."""
    boxes = VGG.boxes((448, 448), (448, 448))
    assert boxes.shape == (8, 8, 4)
    assert boxes[0, 0].tolist() == [0, 0, 224, 224]
    assert boxes[0, 1].tolist() == [32, 0, 256, 224]
    assert boxes[7, 7].tolist() == [224, 224, 448, 448]


def test_boxes_are_in_pixels_of_the_file_and_end_at_its_border() -> None:
    boxes = VGG.boxes((448, 608), (956, 1280))
    assert boxes.shape == (8, 13, 4)
    assert boxes[7, 12, 2:].tolist() == [1280, 956]
    x, y = 1280 / 608, 956 / 448
    assert boxes[2, 5].tolist() == pytest.approx([5 * 32 * x, 2 * 32 * y, (5 * 32 + 224) * x, (2 * 32 + 224) * y])


def test_a_cell_gets_the_mean_of_the_windows_that_hold_it() -> None:
    probs = torch.tensor([[[0.0, 1.0]]])  # two windows of 2 cells, one cell apart
    assert cover(probs, 2).tolist() == [[[0.0, 0.5, 1.0], [0.0, 0.5, 1.0]]]
    assert cover(torch.full((3, 4, 5), 0.25), 7).allclose(torch.full((3, 10, 11), 0.25))
