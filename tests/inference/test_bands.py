import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.inference.bands import resized_bands

SIZES = [(1, 1), (1, 9), (4, 6), (7, 7), (16, 11), (50, 3), (97, 64)]


def random_probs(height: int, width: int) -> Tensor:
    return torch.randn(3, height, width, generator=torch.Generator().manual_seed(0)).softmax(0)


@pytest.mark.parametrize("source", SIZES)
@pytest.mark.parametrize("target", SIZES)
@pytest.mark.parametrize("rows", [1, 5, 256])
def test_bands_together_are_the_whole_resized(source: tuple[int, int], target: tuple[int, int], rows: int) -> None:
    probs = random_probs(*source)
    bands = list(resized_bands(probs, target, rows))
    expected = F.interpolate(probs.unsqueeze(0), size=target, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(torch.cat([band.probs for band in bands], dim=1), expected, rtol=0, atol=1e-5)
    assert [band.top for band in bands] == list(range(0, target[0], rows))


def test_a_large_picture_comes_in_bands_without_being_asked() -> None:
    heights = [band.probs.shape[1] for band in resized_bands(random_probs(4, 4), (600, 5))]
    assert heights == [256, 256, 88]


def test_half_the_size_up_by_hand() -> None:
    """Centres of the new pixels lie a quarter beside those of the old ones; beyond the outer ones nothing changes."""
    probs = torch.tensor([[[0.0], [1.0]]])
    (band,) = resized_bands(probs, (4, 1))
    assert band.probs.flatten().tolist() == [0, 0.25, 0.75, 1]


def test_half_precision_becomes_single() -> None:
    (band,) = resized_bands(random_probs(4, 4).half(), (4, 4))
    assert band.probs.dtype == torch.float32


def test_bands_of_a_band_model_stay_probabilities() -> None:
    for _, probs in resized_bands(random_probs(5, 8), (40, 33), rows=7):
        torch.testing.assert_close(probs.sum(0), torch.ones(probs.shape[1:]))
