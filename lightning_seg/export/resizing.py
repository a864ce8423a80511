"""Resizing inside of an exported file: the pixels of ``images.resize_image``, as the weighted sums that they are.

OpenCV resizes uint8 in whole numbers: weights of 11 bits, columns before rows, cut off as written below. ONNX's Resize
gives other pixels: of photos, one in eight differs by 1. Sizes are tensors here, since pictures of any size come in;
``torch.export`` then takes each of them for a number of its own.
"""

import torch
from torch import Tensor

HALVINGS = 6
"""How often a side is halved at most: then a picture of 256 pixels is made of one of 32,768."""
ONE = 2048.0
"""A weight of 1, in OpenCV's 11 bits."""


def size_of(images: Tensor) -> Tensor:
    """``(2,)`` int64: height and width of ``(N, H, W, 3)``."""
    return torch.stack([torch.full((), side, dtype=torch.int64) for side in images.shape[1:3]])


def as_length(number: Tensor, least: int = 1) -> int:
    """A whole number that is a length, and never below ``least``."""
    length = number.item()
    torch._check(length >= least)
    return length  # type: ignore[return-value]


def resize_pictures(images: Tensor, size: Tensor, fixed: tuple[int, int] | None = None) -> Tensor:
    """``(N, H, W, 3)`` uint8 at another size, as ``resize_image`` does it.

    Args:
        images: the pictures.
        size: ``(2,)`` int64, the wanted height and width.
        fixed: the same as numbers, where these are always the same.

    Returns:
        ``(N, h, w, 3)`` float32, whole numbers from 0 to 255.
    """
    pictures, have = _averaged(images, size)
    for _ in range(HALVINGS):
        smaller = torch.where(have > 2 * size, (have + 1) // 2, have)
        pictures, have = _linear(pictures, have, smaller), smaller
    return _linear(pictures, have, size, fixed)


def _averaged(images: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of blocks where both sides shrink by whole numbers; otherwise the pictures as they are."""
    have = size_of(images)
    factors = have // size
    # Blocks of 2 x 2 are rounded as the linear way rounds them.
    is_whole = ((have % size) == 0).all() & ~(factors == 2).all()
    factors = torch.where(is_whole, factors, torch.ones_like(factors))
    sums = images[:, _blocks(have[0], factors[0])].float().sum(2)
    sums = sums[:, :, _blocks(have[1], factors[1])].sum(3)
    return torch.round(sums / factors.prod()), have // factors


def _blocks(side: Tensor, factor: Tensor) -> Tensor:
    """``(side / factor, factor)``: the positions of each block."""
    return torch.arange(as_length(side // factor))[:, None] * factor + torch.arange(as_length(factor))


def _linear(pictures: Tensor, have: Tensor, want: Tensor, fixed: tuple[int, int] | None = None) -> Tensor:
    """``(N, H, W, 3)`` of whole numbers at the size ``want``, bilinear."""
    height, width = (as_length(want[0]), as_length(want[1])) if fixed is None else fixed
    left, right, of_left, of_right = _taps(have[1], want[1], width)
    columns = pictures[:, :, left] * of_left[:, None] + pictures[:, :, right] * of_right[:, None]
    columns = torch.floor(columns / 16)
    above, below, of_above, of_below = _taps(have[0], want[0], height)
    rows = torch.floor(columns[:, above] * of_above[:, None, None] / 65536)
    rows = rows + torch.floor(columns[:, below] * of_below[:, None, None] / 65536)
    return torch.floor((rows + 2) / 4)


def _taps(have: Tensor, want: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each pixel of a side: the two that it is made of, and their weights of 11 bits."""
    position = (torch.arange(length, dtype=torch.float64) + 0.5) * (have.double() / want.double()) - 0.5
    position = position.float()
    before = torch.floor(position)
    share = position - before
    # Beyond the outer pixels their value stays.
    first, second = (torch.minimum(pixel.long().clamp(min=0), have - 1) for pixel in (before, before + 1))
    return first, second, torch.round((1 - share) * ONE), torch.round(share * ONE)


def pad_pictures(pictures: Tensor, have: Tensor, multiple: int) -> Tensor:
    """``(N, H, W, 3)`` with mirrored rows below and columns to the right, as ``pad_to_multiple`` does it.

    Args:
        pictures: whole numbers.
        have: ``(2,)`` int64, their height and width.
        multiple: what both sides will be multiples of.
    """
    times = (have + multiple - 1) // multiple
    # Smaller pictures cannot be mirrored that far.
    mirrors = (multiple * times - have < have).all()
    for axis, side, number in ((1, have[0], times[0]), (2, have[1], times[1])):
        position = torch.arange(as_length(number) * multiple)
        mirrored = torch.where(position < side, position, 2 * (side - 1) - position)
        repeated = torch.minimum(position, side - 1)
        pictures = pictures.index_select(axis, torch.where(mirrors, mirrored, repeated))
    return pictures


def channels_first(pictures: Tensor) -> Tensor:
    """Whole numbers ``(N, H, W, 3)`` as the uint8 pictures ``(N, 3, H, W)`` that tasks take."""
    return pictures.to(torch.uint8).permute(0, 3, 1, 2)
