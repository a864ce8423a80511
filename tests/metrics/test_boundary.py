import cv2
import numpy as np
import pytest
import torch

from lightning_seg.metrics.boundary import inner_boundary


def test_boundary_of_a_square_by_hand() -> None:
    mask = torch.zeros(9, 9, dtype=torch.bool)
    mask[2:7, 2:7] = True
    # 2 % of the diagonal is less than a pixel, so the band is one pixel wide.
    inside = torch.zeros_like(mask)
    inside[3:6, 3:6] = True
    assert torch.equal(inner_boundary(mask), mask & ~inside)


def test_border_of_the_picture_is_a_contour() -> None:
    boundary = inner_boundary(torch.ones(5, 6, dtype=torch.bool))
    expected = torch.ones(5, 6, dtype=torch.bool)
    expected[1:4, 1:5] = False
    assert torch.equal(boundary, expected)


@pytest.mark.parametrize("size", [(60, 80), (300, 400), (211, 517), (3, 400)])
def test_width_and_shape_are_those_of_the_published_definition(size: tuple[int, int]) -> None:
    """Eroded by a 3 x 3 square as often as 2 % of the diagonal has pixels, as in the paper's appendix."""
    rng = np.random.default_rng(0)
    mask = (cv2.GaussianBlur(rng.random(size), (0, 0), 6) > 0.5).astype(np.uint8)
    iterations = max(1, round(0.02 * np.hypot(*size)))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=iterations)[1:-1, 1:-1]
    expected = torch.from_numpy(mask - eroded).bool()
    assert 0 < expected.sum() < mask.size
    assert torch.equal(inner_boundary(torch.from_numpy(mask).bool()), expected)


def test_pictures_of_a_batch_do_not_touch() -> None:
    masks = torch.rand(3, 40, 30, generator=torch.Generator().manual_seed(0)) > 0.2
    together = inner_boundary(masks)
    assert torch.equal(together, torch.stack([inner_boundary(mask) for mask in masks]))
