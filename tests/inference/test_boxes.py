"""A detector whose answers can be told by looking at the picture: how red and how green a window is."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.errors import ConfigError
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.windows import Grid


class Colours:
    """Windows of 32 pixels at a stride of 8; its features see nothing beside a cell, so crops and map agree."""

    grid = Grid(32, 8)

    def __init__(self) -> None:
        self.largest = 0

    def window_probabilities(self, images: Tensor) -> Tensor:
        self.largest = max(self.largest, images[0, 0].numel())
        cells = F.avg_pool2d(images.float() / 255, 8)
        means = F.avg_pool2d(cells, 4, stride=1)
        rest = 1 - means[:, :2].sum(dim=1, keepdim=True)
        return torch.cat([means[:, :2], rest], dim=1)

    def probabilities(self, images: Tensor) -> Tensor:
        assert images.shape[-2:] == (32, 32)
        means = (images.float() / 255).mean(dim=(2, 3))
        return torch.stack([means[:, 0], means[:, 1], 1 - means[:, 0] - means[:, 1]], dim=1)


def objects(probs: Tensor) -> Tensor:
    return probs[:2]


def picture(height: int = 96, width: int = 128) -> Tensor:
    """Black with a red square at the left and a green one at the right."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    image[0, 16:48, 16:48] = 255
    image[1, 48:80, 80:112] = 255
    return image


def test_objects_are_found_where_they_are() -> None:
    found = BoxInference(scales=(3.0,), threshold=0.9).predict(Colours(), picture(), objects)
    assert found.labels.tolist() == [0, 1]
    assert found.boxes.tolist() == [[16, 16, 48, 48], [80, 48, 112, 80]]
    assert found.scores.tolist() == [1, 1]


def test_boxes_refer_to_the_size_of_the_file() -> None:
    large = picture().repeat_interleave(3, 1).repeat_interleave(3, 2)
    found = BoxInference(scales=(3.0,), threshold=0.9).predict(Colours(), large, objects)
    assert found.boxes.tolist() == [[48, 48, 144, 144], [240, 144, 336, 240]]
    half = BoxInference(scales=(3.0,), threshold=0.9).predict(Colours(), large, objects, size=(96, 128))
    assert half.boxes.tolist() == [[16, 16, 48, 48], [80, 48, 112, 80]]


def test_windows_around_an_object_become_one_box_around_it() -> None:
    found = BoxInference(scales=(3.0,), threshold=0.5).predict(Colours(), picture(), objects)
    assert found.labels.tolist() == [0, 1]
    # The windows that hold half of it lie evenly around it.
    assert found.boxes[0].tolist() == pytest.approx([16, 16, 48, 48], abs=0.01)


@pytest.mark.parametrize("scales", [(1.0,), (2.0, 3.0)])
def test_crops_and_map_agree_where_features_see_only_their_cell(scales: tuple[float, ...]) -> None:
    image = torch.randint(0, 256, (3, 75, 113), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    options: dict[str, Any] = {"scales": scales, "threshold": 0.3, "merge": "none"}
    one, other = (BoxInference(detector=kind, **options).predict(Colours(), image) for kind in ("map", "crops"))
    assert one.window_probs.allclose(other.window_probs, atol=1e-5)
    assert one.boxes.shape == other.boxes.shape
    assert one.maps.allclose(other.maps, atol=1e-5)


@pytest.mark.parametrize("size", [(640, 64), (64, 640)])
def test_a_large_picture_is_computed_in_bands(size: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    whole, parts = Colours(), Colours()
    expected = BoxInference(scales=(2.0,), threshold=0.4).predict(whole, image)
    banded = BoxInference(scales=(2.0,), threshold=0.4, max_pixels=64 * 160).predict(parts, image)
    assert whole.largest == 640 * 64
    assert parts.largest <= 64 * 160
    assert banded.window_probs.allclose(expected.window_probs)
    assert banded.boxes.tolist() == expected.boxes.tolist()


def test_the_tutorial_leaves_out_the_last_row_and_column() -> None:
    image = torch.zeros(3, 64, 64, dtype=torch.uint8)
    all_windows = BoxInference(scales=(2.0,)).predict(Colours(), image)
    tutorial = BoxInference(scales=(2.0,), windows="tutorial").predict(Colours(), image)
    assert len(all_windows.window_boxes) == 25
    assert len(tutorial.window_boxes) == 16
    assert tutorial.window_boxes[5].tolist() == [8, 8, 40, 40]


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 3)])
def test_pictures_smaller_than_a_window_are_enlarged(size: tuple[int, int]) -> None:
    image = torch.zeros(3, *size, dtype=torch.uint8)
    image[0] = 255
    found = BoxInference(scales=(1.0,), threshold=0.9, merge="none").predict(Colours(), image, objects)
    assert found.labels[0] == 0
    assert found.boxes[:, 2].max() == size[1]
    assert found.boxes[:, 3].max() == size[0]


def test_views_are_turned_back() -> None:
    found = BoxInference(scales=(3.0,), threshold=0.9, tta="d4").predict(Colours(), picture(96, 96), objects)
    assert found.boxes[0].tolist() == pytest.approx([16, 16, 48, 48])


def test_heat_maps_are_highest_on_the_object() -> None:
    found = BoxInference(scales=(3.0,)).predict(Colours(), picture(), objects)
    assert found.maps.shape == (2, 12, 16)
    row, column = divmod(int(found.maps[0].argmax()), 16)
    assert 2 <= row < 6
    assert 2 <= column < 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scales": ()}, "scales"),
        ({"scales": (0.5,)}, r"scales \[0.5\] must be 1 or more windows each"),
        ({"threshold": 1.0}, "threshold 1.0 must lie between 0 and 1"),
        ({"merge": "mean"}, "merge 'mean' does not exist"),
        ({"merge_overlap": 0.0}, "merge_overlap 0.0"),
        ({"detector": "yolo"}, "detector 'yolo' does not exist; choose map or crops"),
        ({"windows": "some"}, "windows 'some' does not exist"),
        ({"tta": "vflip"}, "tta 'vflip' does not exist"),
        ({"max_pixels": 0}, "max_pixels 0 is too small"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BoxInference(**options)
