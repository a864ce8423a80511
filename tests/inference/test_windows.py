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
        # A line is squeezed to 64 times its width, here and at every size.
        ((1, 1500), 1.0, (224, 64 * 224)),
        ((6400, 100), 2.0, (64 * 448, 448)),
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


def test_a_cell_gets_most_from_windows_that_have_it_in_their_middle() -> None:
    # Two windows of 3 cells, one cell apart, with weights of 1/4, 1/2, 1/4 both ways.
    expected = [[1, 2, 1, 0], [2, 4, 2, 0], [1, 2, 1, 0]]
    assert cover(torch.tensor([[[1.0, 0.0]]]), 3).mul(16).tolist() == [expected]
    assert cover(torch.tensor([[[1.0, 1.0]]]), 3).mul(16)[0, 1].tolist() == [2, 6, 6, 2]
    # Where all windows that hold a cell are there, they are as sure together as each of them.
    inside = cover(torch.full((3, 9, 9), 0.25), 3)[:, 2:-2, 2:-2]
    assert inside.allclose(torch.full((3, 7, 7), 0.25))
