"""Resizing inside of exported files against OpenCV's."""

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_seg.export.resizing import pad_pictures, resize_pictures
from lightning_seg.images import Array, resize_image
from lightning_seg.models.padding import pad_to_multiple


def noise(height: int, width: int) -> Array:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int) -> Array:
    small = Image.fromarray(noise(5, 7))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def resized(picture: Array, size: tuple[int, int]) -> Array:
    pictures = torch.from_numpy(np.stack([picture, picture[::-1]]))
    return resize_pictures(pictures, torch.tensor(size)).numpy().astype(int)


@pytest.mark.parametrize("make", [noise, smooth])
@pytest.mark.parametrize("size", [(128, 128), (96, 64), (61, 97), (180, 180)])
@pytest.mark.parametrize(
    "shape", [(33, 41), (375, 500), (128, 128), (256, 256), (512, 1024), (384, 192), (1000, 333), (700, 90)]
)
def test_pictures_are_resized_as_opencv_does_it(make: type, shape: tuple[int, int], size: tuple[int, int]) -> None:
    picture = make(*shape)
    got = resized(picture, size)
    for one, source in zip(got, (picture, np.ascontiguousarray(picture[::-1])), strict=True):
        different = np.abs(one - resize_image(source, size).astype(int))
        assert different.max() <= 1
        # OpenCV's way through the last columns depends on the processor.
        assert (different > 0).mean() < 1e-4


def test_a_block_of_three_by_three_becomes_its_mean() -> None:
    picture = np.zeros((3, 3, 3), np.uint8)
    picture[0, 0], picture[2, 2] = 90, 9
    assert resized(picture, (1, 1))[0].tolist() == [[[11, 11, 11]]]


def test_a_line_of_two_pixels_becomes_four() -> None:
    """Their centres lie at 1/4, 3/4 of a pixel: 3/4 of the one and 1/4 of the other."""
    picture = np.repeat(np.array([[[0], [100]]], np.uint8), 3, axis=2)
    assert resized(picture, (1, 4))[0][0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("shape", [(96, 64), (95, 33), (40, 31), (5, 70), (1, 1)])
def test_pictures_are_padded_as_tasks_pad_them(shape: tuple[int, int]) -> None:
    picture = torch.from_numpy(noise(*shape))[None].float()
    wanted = pad_to_multiple(picture.permute(0, 3, 1, 2), 32).permute(0, 2, 3, 1)
    assert torch.equal(pad_pictures(picture, torch.tensor(shape), 32), wanted)
