"""Padding pictures of any size for networks that halve their maps."""

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """``(B, C, H, W)`` with mirrored rows below and columns to the right until both sides are multiples.

    Examples:
        >>> pad_to_multiple(torch.zeros(1, 3, 5, 8), 4).shape
        torch.Size([1, 3, 8, 8])
    """
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    if not below and not right:
        return images
    # A picture smaller than what is added cannot be mirrored that far.
    mode = "reflect" if below < height and right < width else "replicate"
    return F.pad(images, (0, right, 0, below), mode=mode)
