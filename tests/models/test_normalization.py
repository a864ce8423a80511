from typing import Any

import pytest
import torch

from lightning_seg.errors import ConfigError
from lightning_seg.models.normalization import Normalization, Normalize

# One pixel with red 255, green 0 and blue 51, which are 1, 0 and 0.2 of the full range.
PIXEL = torch.tensor([255, 0, 51], dtype=torch.uint8).view(1, 3, 1, 1)


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        # (1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (0.2 - 0.406) / 0.225
        ("imagenet", [2.2489083, -2.0357143, -0.9155556]),
        ("symmetric", [1.0, -1.0, -0.6]),
        ("unit", [1.0, 0.0, 0.2]),
        ({"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 0.1]}, [1.8, -0.8, -1.0]),
    ],
)
def test_pixel_by_hand(normalization: Normalization, expected: list[float]) -> None:
    values = Normalize(normalization)(PIXEL)

    assert values.dtype == torch.float32
    assert values.shape == (1, 3, 1, 1)
    assert values.flatten().tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_memory_format_is_kept(batch_size: int, memory_format: torch.memory_format) -> None:
    images = torch.zeros(batch_size, 3, 4, 6, dtype=torch.uint8).to(memory_format=memory_format)

    assert Normalize("imagenet")(images).stride() == images.stride()


def test_constants_are_not_in_checkpoints() -> None:
    assert Normalize("imagenet").state_dict() == {}


def test_result_has_the_precision_of_the_model() -> None:
    assert Normalize("imagenet").to(torch.bfloat16)(PIXEL).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("normalization", "message"),
    [
        ("imagnet", "'imagnet' does not exist; choose imagenet, symmetric, unit"),
        ({"mean": [0.5, 0.5, 0.5]}, "must hold a mean and a positive std of three numbers"),
        ({"mean": [0.5, 0.5], "std": [0.5, 0.5]}, "three numbers"),
        ({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5]}, "three numbers"),
        ({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.0]}, "positive std"),
        ({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "max": [1, 1, 1]}, "for instance {mean:"),
    ],
)
def test_impossible_normalizations_are_refused(normalization: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Normalize(normalization)
