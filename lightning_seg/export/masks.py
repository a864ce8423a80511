"""Segmentation as one function: pictures as they are in, masks of their size out."""

from collections.abc import Callable
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.export.resizing import as_length, channels_first, pad_pictures, resize_pictures, size_of


class WholeMasks(nn.Module):
    """``(N, H, W, 3)`` uint8 RGB of any size to masks, probabilities, confidence and entropy, see ``model_file``.

    Args:
        task: a segmentation task.
        image_size: (height, width) at which the network sees pictures; None shows them as they are.
        threshold: of two classes, the probability from which a pixel is the second one; None takes the likelier class.
    """

    def __init__(self, task: Any, image_size: tuple[int, int] | None, threshold: float | None = None) -> None:
        super().__init__()
        self.task = task
        self.threshold = threshold
        self.probabilities: Callable[[Tensor], Tensor] = task.probabilities
        self.reduction = int(task.reduction)
        self.image_size = None if image_size is None else torch.tensor(image_size)

    def forward(self, images: Tensor, image_size: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        own = size_of(images)
        size = self.image_size if image_size is None else image_size
        shown = own if size is None else size
        pictures = images.float() if size is None else resize_pictures(images, shown)
        seen = channels_first(pad_pictures(pictures, shown, self.reduction))
        probs = self.probabilities(seen)[:, :, : as_length(shown[0]), : as_length(shown[1])].float()
        height, width = images.shape[1:3]
        probs = F.interpolate(probs, size=(height, width), mode="bilinear", align_corners=False)
        confidence, mask = self._decided(probs)
        entropy = torch.special.entr(probs.clamp(0, 1)).sum(dim=1) / log(max(2, probs.shape[1]))
        return mask.to(torch.uint8), probs, _mean(confidence), _mean(entropy)

    def _decided(self, probs: Tensor) -> tuple[Tensor, Tensor]:
        """The probability of the class of each pixel, and the class."""
        if self.threshold is None:
            return probs.amax(dim=1), probs.argmax(dim=1)
        mask = (probs[:, 1] >= self.threshold).long()
        return torch.where(mask == 1, probs[:, 1], probs[:, 0]), mask


def _mean(maps: Tensor) -> Tensor:
    """``(N, H, W)`` to ``(N,)``; over all pixels at once, float32 loses digits."""
    return maps.mean(dim=2).mean(dim=1)
