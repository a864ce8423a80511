"""What is computed with numpy and OpenCV for exported files is what ``inference`` computes with tensors."""

from collections.abc import Callable, Iterable
from typing import Any, get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.inference import bands, labels, masks, tiles, views
from lightning_seg.inference.masks import MaskInference
from lightning_seg.inference.view_sets import ViewSet
from lightning_seg.serving import answering
from lightning_seg.serving import bands as own_bands
from lightning_seg.serving import tiles as own_tiles
from lightning_seg.serving import views as own_views
from tests.serving.onnx_files import weights

CLOSE = 1e-6
RESIZED = 1e-5
"""Of widths: both have positions in float32, and round them in other ways."""
SETS: tuple[ViewSet | None, ...] = (None, *get_args(ViewSet))


def convolved(images: Tensor) -> Tensor:
    """The network of ``onnx_files``: not the same from all sides, so that a view turned the wrong way shows."""
    return F.conv2d(images.float() / 255, torch.from_numpy(weights(3)), padding=1).softmax(dim=1)


def on_arrays(model: Callable[[Tensor], Tensor]) -> own_views.Model:
    """A model of tensors as one of arrays."""

    def answer(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probs: NDArray[np.float32] = model(as_tensor(np.ascontiguousarray(images))).numpy()
        return probs

    return answer


def random_pictures(*shape: int) -> NDArray[np.uint8]:
    pictures: NDArray[np.uint8] = np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), np.uint8)
    return pictures


def random_probs(num_classes: int, height: int, width: int) -> NDArray[np.float32]:
    logits = np.random.default_rng(height * width).normal(0, 3, (num_classes, height, width))
    shares = np.exp(logits) / np.exp(logits).sum(axis=0)
    probs: NDArray[np.float32] = shares.astype(np.float32)
    return probs


def as_tensor(images: NDArray[np.uint8]) -> Tensor:
    """``(B, H, W, 3)`` as ``(B, 3, H, W)``."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def whole(parts: Iterable[Any]) -> NDArray[np.float32]:
    """Bands joined; that they come from the top down without gaps is seen on the way."""
    joined: list[NDArray[np.float32]] = []
    for top, probs in parts:
        assert top == sum(one.shape[1] for one in joined)
        joined.append(np.array(probs))
    return np.concatenate(joined, axis=1)


@pytest.mark.parametrize("size", [(24, 32), (7, 5), (1, 1), (100, 131), (24, 90), (300, 32), (520, 33)])
@pytest.mark.parametrize("source", [(24, 32), (1, 1), (3, 40)])
def test_resized_bands(source: tuple[int, int], size: tuple[int, int]) -> None:
    probs = random_probs(3, *source)
    expected = whole(bands.resized_bands(torch.from_numpy(probs), size))
    np.testing.assert_allclose(whole(own_bands.resized_bands(probs, size)), expected, rtol=0, atol=RESIZED)
    assert expected.shape == (3, *size)


@pytest.mark.parametrize("size", [(1, 1), (13, 97), (31, 17), (64, 40)])
@pytest.mark.parametrize(("tile", "overlap", "batch"), [(8, 3, 4), (16, 15, 3), (128, 64, 4), (9, 0, 1)])
def test_tiled_bands(size: tuple[int, int], tile: int, overlap: int, batch: int) -> None:
    (picture,) = random_pictures(1, *size)
    expected = whole(tiles.tiled_bands(convolved, as_tensor(picture[None])[0], tile, overlap, batch))
    found = whole(own_tiles.tiled_bands(on_arrays(convolved), picture, tile, overlap, batch))
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)
    assert expected.shape == (3, *size)


@pytest.mark.parametrize("views_of", SETS)
@pytest.mark.parametrize("size", [(4, 4), (2, 5), (7, 3)])
@pytest.mark.parametrize(
    "model", [convolved, lambda images: convolved(images).mean(dim=(2, 3))], ids=["maps", "labels"]
)
def test_mean_over_views(model: Callable[[Tensor], Tensor], size: tuple[int, int], views_of: ViewSet | None) -> None:
    pictures = random_pictures(2, *size)
    expected = views.average_views(model, views_of)(as_tensor(pictures)).numpy()
    found = own_views.average_views(on_arrays(model), views_of)(pictures)
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE)


@pytest.mark.parametrize(("num_classes", "threshold"), [(3, None), (2, None), (2, 0.3), (2, 0.9), (11, None)])
def test_masks_of_probabilities(num_classes: int, threshold: float | None) -> None:
    probs = random_probs(num_classes, 300, 9)
    # A tie, and shares of 0 and 1.
    probs[:, 0, 0] = 1 / num_classes
    probs[:, 0, 1] = np.arange(num_classes) == 1
    expected = masks.collect(bands.resized_bands(torch.from_numpy(probs), (300, 9)), (300, 9), True, threshold)
    found = answering.mask_of(own_bands.resized_bands(probs, (300, 9)), (300, 9), True, threshold)
    np.testing.assert_array_equal(found.mask, expected.mask.numpy())
    assert found.mask.any()
    assert found.confidence == pytest.approx(expected.confidence, abs=CLOSE)
    assert found.entropy == pytest.approx(expected.entropy, abs=CLOSE)
    assert found.probs is not None
    assert expected.probs is not None
    np.testing.assert_array_equal(found.probs, expected.probs.numpy())


def test_an_answer_that_is_no_number_is_none_here_either() -> None:
    probs = random_probs(3, 5, 5)
    probs[1, 2, 2] = np.nan
    assert not answering.mask_of(own_bands.resized_bands(probs, (5, 5)), (5, 5)).is_number
    assert not answering.label_of(np.array([0.5, np.nan], np.float32)).is_number


@pytest.mark.parametrize("probs", [[0.25, 0.5, 0.25, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0]])
def test_labels_of_probabilities(probs: list[float]) -> None:
    expected = labels.label_of(torch.tensor(probs))
    found = answering.label_of(np.array(probs, np.float32))
    assert (found.label, found.confidence) == (expected.label, expected.confidence)
    assert found.entropy == pytest.approx(expected.entropy, abs=CLOSE)


@pytest.mark.parametrize(
    "options", [{}, {"tile": 16, "overlap": 5}, {"tta": "d4"}, {"tile": 20, "tta": "flips", "overlap": 9}]
)
def test_a_whole_picture(options: dict[str, Any]) -> None:
    """As ``MaskFile`` puts these parts together."""
    how = MaskInference(keep_probs=True, **options)
    size = (50, 41)
    picture = random_pictures(1, *size) if how.tile else random_pictures(1, 24, 32)
    (expected,) = how.predict(convolved, as_tensor(picture), [size])
    viewed = own_views.average_views(on_arrays(convolved), how.tta)
    if how.tile is None:
        parts = own_bands.resized_bands(viewed(picture)[0], size)
    else:
        parts = own_tiles.tiled_bands(viewed, picture[0], how.tile, how.overlap, how.tile_batch)
    found = answering.mask_of(parts, size)
    assert (found.mask == expected.mask.numpy()).mean() > 0.999
    assert found.confidence == pytest.approx(expected.confidence, abs=CLOSE)
