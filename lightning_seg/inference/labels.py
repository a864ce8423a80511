"""The class of a picture and its probability."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from lightning_seg.batch import LabelPrediction
from lightning_seg.inference.views import Model, ViewSet, average_views, check_views


@dataclass(frozen=True)
class LabelInference:
    """Settings with which a model classifies a picture. Never part of a checkpoint.

    Args:
        tta: test-time augmentation, the mean over views: ``hflip`` two, ``flips`` four, ``d4`` eight.

    Raises:
        ConfigError: if there is no such set of views.
    """

    tta: ViewSet | None = None

    def __post_init__(self) -> None:
        check_views(self.tta)

    def probabilities(self, model: Model, images: Tensor) -> Tensor:
        """``(B, C)``, the mean over the views.

        Args:
            model: maps pictures to probabilities ``(B, C)``.
            images: ``(B, 3, H, W)`` uint8.
        """
        return average_views(model, self.tta)(images)

    def predict(self, model: Model, images: Tensor) -> list[LabelPrediction]:
        """The likeliest classes; arguments as for ``probabilities``."""
        return [label_of(probs) for probs in self.probabilities(model, images).float().cpu()]


def label_of(probs: Tensor) -> LabelPrediction:
    """From probabilities ``(C,)``."""
    entropy = torch.special.entr(probs.clamp(0, 1)).double().sum().item()
    label = int(probs.argmax())
    return LabelPrediction(probs, label, probs[label].item(), entropy / log(max(2, len(probs))))


def ranked(probs: Tensor, class_names: Sequence[str], number: int) -> list[tuple[str, float]]:
    """The likeliest classes by name with their probabilities, the likeliest first."""
    # Of equal ones the first comes first, as argmax has it.
    values, classes = probs.sort(descending=True, stable=True)
    best = zip(classes[:number].tolist(), values[:number].tolist(), strict=True)
    return [(class_names[index], value) for index, value in best]
