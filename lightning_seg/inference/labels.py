"""The class of a picture and its probability."""

from math import log

import torch
from torch import Tensor

from lightning_seg.batch import LabelPrediction
from lightning_seg.inference.knobs import LabelKnobs
from lightning_seg.inference.views import Model, average_views


class LabelInference(LabelKnobs):
    """How a model classifies a picture: with the settings of ``LabelKnobs``."""

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

    def activations(self, maps: Model, images: Tensor) -> Tensor:
        """Class activation maps ``(B, h, w)`` on the CPU, the mean over the views, each turned back.

        Args:
            maps: gives those of pictures ``(B, 1, h, w)``.
            images: ``(B, 3, H, W)`` uint8.
        """
        return average_views(maps, self.tta)(images)[:, 0].cpu()


def label_of(probs: Tensor) -> LabelPrediction:
    """From probabilities ``(C,)``."""
    entropy = torch.special.entr(probs.clamp(0, 1)).double().sum().item()
    label = int(probs.argmax())
    return LabelPrediction(probs, label, probs[label].item(), entropy / log(max(2, len(probs))))
