"""Classification as one function: pictures as they are in, labels out."""

from collections.abc import Callable
from math import log
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seg.export.resizing import channels_first, resize_pictures


class WholeLabels(nn.Module):
    """``(N, H, W, 3)`` uint8 RGB of any size to labels, probabilities, confidence and entropy, see ``model_file``.

    Args:
        task: a classification task.
        image_size: (height, width) at which the network sees pictures.
    """

    def __init__(self, task: Any, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.task = task
        self.probabilities: Callable[[Tensor], Tensor] = task.probabilities
        self.image_size = image_size

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pictures = resize_pictures(images, torch.tensor(self.image_size), self.image_size)
        probs = self.probabilities(channels_first(pictures))
        entropy = torch.special.entr(probs.clamp(0, 1)).sum(dim=1) / log(max(2, probs.shape[1]))
        return probs.argmax(dim=1), probs, probs.amax(dim=1), entropy
