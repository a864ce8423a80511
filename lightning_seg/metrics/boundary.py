"""The band of pixels along the contour of a mask, which boundary IoU compares."""

from math import hypot

from torch import Tensor
from torch.nn import functional as F

BOUNDARY_WIDTH = 0.02
"""Width of the band as a share of the picture's diagonal."""


def inner_boundary(mask: Tensor) -> Tensor:
    """The pixels of a mask near its contour; the picture's border is a contour, too.

    Source: Cheng et al., "Boundary IoU", 2021, whose width is 2 % of the diagonal.

    Args:
        mask: ``(..., H, W)`` bool.

    Returns:
        ``(..., H, W)`` bool.

    Examples:
        >>> inner_boundary(torch.ones(3, 3, dtype=torch.bool)).int().tolist()
        [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    """
    height, width = mask.shape[-2:]
    reach = max(1, round(BOUNDARY_WIDTH * hypot(height, width)))
    inside = _all_near(_all_near(mask, reach).transpose(-2, -1), reach).transpose(-2, -1)
    return mask & ~inside


def _all_near(mask: Tensor, reach: int) -> Tensor:
    """Whether a pixel and all within ``reach`` along the last side are set; outside of the picture none is."""
    window = 2 * reach + 1
    found, covered = F.pad(mask, (reach, reach), value=False), 1
    # Each pass doubles the stretch that a pixel speaks for.
    while covered < window:
        step = min(covered, window - covered)
        found = found[..., :-step] & found[..., step:]
        covered += step
    return found
