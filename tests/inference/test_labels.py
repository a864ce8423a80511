from math import log

import pytest
import torch
from torch import Tensor

from lightning_seg.errors import ConfigError
from lightning_seg.inference.labels import LabelInference, label_of


def left_column(images: Tensor) -> Tensor:
    """How red and how dark the left column is, as probabilities of two classes."""
    red = images[:, 0, :, 0].float().mean(dim=1) / 256
    return torch.stack([red, 1 - red], dim=1)


def test_label_by_hand() -> None:
    prediction = label_of(torch.tensor([0.25, 0.5, 0.25, 0.0]))
    assert (prediction.label, prediction.confidence) == (1, 0.5)
    # 1.5 bits of at most 2.
    assert prediction.entropy == pytest.approx(0.75)
    assert label_of(torch.tensor([0.0, 1.0])).entropy == 0


def test_every_picture_has_its_own_label() -> None:
    images = torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    images[1, 0] = 192
    first, second = LabelInference().predict(left_column, images)
    assert (first.label, second.label) == (1, 0)
    assert second.probs.tolist() == [0.75, 0.25]
    assert second.entropy == pytest.approx(-(0.75 * log(0.75) + 0.25 * log(0.25)) / log(2))


@pytest.mark.parametrize(
    ("tta", "red"),
    [
        (None, 0.5),
        # The left column, and the right one.
        ("hflip", (0.5 + 0.0) / 2),
        # And both from below, which is the same.
        ("flips", (0.5 + 0.0) / 2),
        # And the two rows.
        ("d4", (0.5 + 0.0 + 0.25 + 0.25) / 4),
    ],
)
def test_probabilities_are_the_mean_over_the_views(tta: str | None, red: float) -> None:
    image = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    image[0, 0, :, 0] = 128
    (prediction,) = LabelInference(tta).predict(left_column, image)  # type: ignore[arg-type]
    assert prediction.probs.tolist() == [red, 1 - red]


def test_unknown_views_are_refused() -> None:
    with pytest.raises(ConfigError, match="tta 'vflip' does not exist; choose hflip, flips, d4"):
        LabelInference("vflip")  # type: ignore[arg-type]
