import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.errors import ConfigError
from lightning_seg.inference.bands import Band
from lightning_seg.inference.masks import MaskInference, collect

QUARTER = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
"""Entropy in bits of one in four."""


def two_classes(second: list[list[float]]) -> Tensor:
    share = torch.tensor(second)
    return torch.stack([1 - share, share])


def red_or_not(images: Tensor) -> Tensor:
    """Two classes; the red channel is the probability of the second."""
    share = images[:, 0].float() / 255
    return torch.stack([1 - share, share], dim=1)


def random_pictures(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8, generator=generator)


def test_mask_confidence_and_entropy_of_four_pixels() -> None:
    prediction = collect([Band(0, two_classes([[0, 0.75], [0.25, 1]]))], (2, 2))
    assert prediction.mask.tolist() == [[0, 1], [0, 1]]
    assert prediction.mask.dtype == torch.uint8
    assert prediction.confidence == pytest.approx((1 + 0.75 + 0.75 + 1) / 4)
    assert prediction.entropy == pytest.approx(2 * QUARTER / 4)
    assert prediction.probs is None


@pytest.mark.parametrize("num_classes", [2, 3, 200])
def test_equal_probabilities_are_the_highest_entropy(num_classes: int) -> None:
    prediction = collect([Band(0, torch.full((num_classes, 2, 2), 1 / num_classes))], (2, 2))
    assert prediction.entropy == pytest.approx(1, abs=1e-5)
    assert prediction.confidence == pytest.approx(1 / num_classes)


def test_certainty_has_no_entropy() -> None:
    certain = F.one_hot(torch.tensor([[3, 0], [4, 199]]), 200).permute(2, 0, 1).float()
    prediction = collect([Band(0, certain)], (2, 2))
    assert prediction.mask.tolist() == [[3, 0], [4, 199]]
    assert prediction.entropy == 0
    assert prediction.confidence == 1


def test_one_class_is_certain() -> None:
    prediction = collect([Band(0, torch.ones(1, 2, 3))], (2, 3))
    assert prediction.mask.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert prediction.confidence == 1
    assert prediction.entropy == 0


def test_bands_are_laid_below_each_other() -> None:
    """Four rows in bands of one and three."""
    probs = two_classes([[0, 1], [0.75, 0.75], [0.25, 1], [1, 0]])
    prediction = collect([Band(0, probs[:, :1]), Band(1, probs[:, 1:])], (4, 2), keep_probs=True)
    assert prediction.mask.tolist() == [[0, 1], [1, 1], [0, 1], [1, 0]]
    assert prediction.confidence == pytest.approx((2 + 1.5 + 1.75 + 2) / 8)
    assert prediction.entropy == pytest.approx(3 * QUARTER / 8)
    assert prediction.probs is not None
    assert prediction.probs.dtype == torch.float16
    assert torch.equal(prediction.probs, probs.half())


def test_probabilities_above_one_by_rounding_do_no_harm() -> None:
    prediction = collect([Band(0, torch.tensor([[[1.0000002]], [[-1e-9]]]))], (1, 1))
    assert prediction.entropy == 0


def test_masks_come_at_the_original_sizes() -> None:
    pictures, sizes = random_pictures(3, 6, 4), [(6, 4), (3, 9), (700, 2)]
    predictions = MaskInference(keep_probs=True).predict(red_or_not, pictures, sizes)
    for picture, size, prediction in zip(pictures, sizes, predictions, strict=True):
        share = F.interpolate(picture[None, :1].float() / 255, size=size, mode="bilinear")[0, 0].double().numpy()
        assert prediction.mask.shape == size
        # Where both are as likely, rounding decides.
        decided = np.abs(share - 0.5) > 1e-4
        assert decided.mean() > 0.9
        np.testing.assert_array_equal(prediction.mask.numpy()[decided], (share > 0.5)[decided])
        assert prediction.confidence == pytest.approx(np.maximum(share, 1 - share).mean(), abs=1e-5)
        assert prediction.probs is not None
        np.testing.assert_allclose(prediction.probs[1].float().numpy(), share, atol=1e-3)


def test_tiles_come_at_the_original_sizes() -> None:
    picture = random_pictures(1, 50, 30)
    whole = MaskInference(keep_probs=True).predict(red_or_not, picture, [(50, 30)])[0]
    seen = []

    def model(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape))
        return red_or_not(images)

    options = MaskInference(tile=16, overlap=4, tile_batch=2, keep_probs=True)
    tiled = options.predict(model, picture, [(50, 30)])[0]
    assert torch.equal(tiled.mask, whole.mask)
    assert tiled.entropy == pytest.approx(whole.entropy, abs=1e-5)
    assert tiled.confidence == pytest.approx(whole.confidence, abs=1e-5)
    assert tiled.probs is not None
    assert whole.probs is not None
    torch.testing.assert_close(tiled.probs, whole.probs, rtol=0, atol=1e-3)
    # 30 pixels and a margin of 2 on both sides: three tiles, two of them at once.
    assert seen[:2] == [(2, 3, 16, 16), (1, 3, 16, 16)]


@pytest.mark.parametrize("tile", [None, 8])
def test_views_are_averaged_before_the_mask_is_made(tile: int | None) -> None:
    """A pixel of 0.9 that its mirror image outvotes with 0.2: the mean of 0.55 still decides for it."""
    calls = []

    def model(images: Tensor) -> Tensor:
        calls.append(len(images))
        share = torch.full((len(images), *images.shape[-2:]), 0.9 if len(calls) % 2 else 0.2)
        return torch.stack([1 - share, share], dim=1)

    prediction = MaskInference(tile=tile, overlap=0, tta="hflip").predict(model, random_pictures(1, 8, 8), [(8, 8)])[0]
    assert len(calls) == 2
    assert prediction.mask.min() == 1
    assert prediction.confidence == pytest.approx(0.55, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tta": "vflip"}, "tta 'vflip' does not exist; choose hflip, flips, d4"),
        ({"tile": 0}, "tile 0 is too small"),
        ({"tile": -8}, "tile -8 is too small"),
        ({"tile": 64}, "overlap 64 must be at least 0 and below tile 64"),
        ({"tile": 64, "overlap": 65}, "overlap 65 must be at least 0 and below tile 64"),
        ({"tile": 64, "overlap": -1}, "overlap -1 must be at least 0"),
        ({"tile_batch": 0}, "tile_batch 0 is too small"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MaskInference(**options)


def test_possible_options_are_not_refused() -> None:
    assert MaskInference(overlap=1000).tile is None
    assert MaskInference(tile=65).overlap == 64
    assert MaskInference(tile=1, overlap=0, tile_batch=1, tta="d4").tta == "d4"


def test_a_size_per_picture_is_needed() -> None:
    with pytest.raises(ValueError, match="zip"):
        MaskInference().predict(red_or_not, random_pictures(2, 4, 4), [(4, 4)])
