"""Back to the size of the picture."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def restore_mask(probs: Tensor, size: Sequence[int]) -> Tensor:
    """Probabilities ``(C, h, w)`` to class indices ``(*size)`` uint8; resized before the choice for smooth edges."""
    resized = F.interpolate(probs.unsqueeze(0), size=tuple(size), mode="bilinear", align_corners=False)
    return resized[0].argmax(dim=0).to(torch.uint8)
