"""Networks that compute with 16 bits."""

from copy import deepcopy
from typing import Any

from torch import Tensor, nn


class _AsHalf(nn.Module):
    """The last step of the normalisation: what follows computes with 16 bits."""

    def forward(self, images: Tensor) -> Tensor:
        return images.half()


def in_half(task: Any) -> Any:
    """A copy of a task whose network has weights of 16 bits and computes with them; probabilities stay float32."""
    halved = deepcopy(task)
    halved.model.half()
    halved.normalize = nn.Sequential(halved.normalize, _AsHalf())
    return halved
