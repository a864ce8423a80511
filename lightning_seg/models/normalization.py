"""The first layer of every model: uint8 pictures to the range that its weights expect."""

from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from lightning_seg.errors import ConfigError

NormalizationName = Literal["imagenet", "symmetric", "unit"]
Normalization = NormalizationName | dict[str, list[float]]

MEAN_STD: Mapping[str, tuple[Sequence[float], Sequence[float]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


class Normalize(nn.Module):
    """``(B, 3, H, W)`` uint8 to float: ``(x / 255 - mean) / std`` per channel, memory format kept.

    Args:
        normalization: ``imagenet`` (mean and deviation of its pictures), ``symmetric`` ([-1, 1]), ``unit`` ([0, 1]) or
            ``{"mean": [r, g, b], "std": [r, g, b]}`` on the scale of [0, 1].

    Raises:
        ConfigError: if the name is unknown or the numbers are not three means and three positive deviations.

    Examples:
        >>> pixels = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(1, 3, 1, 2)
        >>> Normalize("symmetric")(pixels)[0, 0].round(decimals=4).tolist()
        [[-1.0, 1.0]]
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, normalization: Normalization) -> None:
        super().__init__()
        mean, std = (torch.tensor(values, dtype=torch.float64) for values in mean_std(normalization))
        # As one multiplication and one addition per pixel; not in checkpoints, since the name already says it.
        self.register_buffer("scale", (1 / (255 * std)).float().view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", (-mean / std).float().view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return torch.addcmul(self.shift, images.to(self.scale.dtype), self.scale)


def named_normalization(mean: Sequence[float], std: Sequence[float]) -> Normalization:
    """``imagenet`` if these are its numbers, on the scale of [0, 1]; otherwise the numbers.

    Examples:
        >>> named_normalization([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        'imagenet'
    """
    return "imagenet" if (tuple(mean), tuple(std)) == MEAN_STD["imagenet"] else {"mean": list(mean), "std": list(std)}


def mean_std(normalization: Normalization) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation per channel, on the scale of [0, 1]. Raises ConfigError if the normalization is none."""
    if isinstance(normalization, str):
        if normalization not in MEAN_STD:
            raise ConfigError(
                f"normalization {normalization!r} does not exist; choose {', '.join(MEAN_STD)} or numbers"
            )
        return MEAN_STD[normalization]
    mean, std = (np.atleast_1d(normalization.get(key, ())).tolist() for key in ("mean", "std"))
    if set(normalization) != {"mean", "std"} or len(mean) != 3 or len(std) != 3 or not _are_usable(mean, std):
        raise ConfigError(
            f"normalization {normalization} must hold a mean and a positive std of three numbers each, for instance "
            "{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}"
        )
    return mean, std


def _are_usable(mean: Sequence[float], std: Sequence[float]) -> bool:
    return all(isfinite(number) for number in mean) and all(0 < number < inf for number in std)
