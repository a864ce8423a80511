"""The Carvana tutorial's U-Net with BatchNorm."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lightning_seg.errors import ModelError

PaddingMode = Literal["zeros", "reflect"]
DEEPEST = 16
"""With more, pictures would have sides of over 65,536 pixels."""


class ConvBlock(nn.Sequential):
    """Twice [3x3 convolution -> BatchNorm -> ReLU]: ``(B, C, H, W)`` to ``(B, out_channels, H, W)``."""

    def __init__(self, in_channels: int, out_channels: int, padding_mode: PaddingMode) -> None:
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            conv = nn.Conv2d(channels, out_channels, 3, padding=1, padding_mode=padding_mode)
            layers += [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
        super().__init__(*layers)


class DecoderBlock(nn.Module):
    """Doubles a map and concatenates the skip: ``(B, 2C, H, W)`` and ``(B, C, 2H, 2W)`` to ``(B, C, 2H, 2W)``."""

    def __init__(self, channels: int, padding_mode: PaddingMode) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.join = nn.Sequential(nn.BatchNorm2d(2 * channels), nn.ReLU(inplace=True))
        self.block = ConvBlock(2 * channels, channels, padding_mode)

    def forward(self, maps: Tensor, skip: Tensor) -> Tensor:
        joined: Tensor = self.block(self.join(torch.cat([skip, self.up(maps)], dim=1)))
        return joined


class UNetEncoder(nn.Module):
    """``(B, 3, H, W)`` to one map per block, finest first; each has half the sides and twice the channels of the one
    before.
    """

    def __init__(self, width: int, depth: int, padding_mode: PaddingMode) -> None:
        super().__init__()
        self.out_channels = [width * 2**level for level in range(depth)]
        inputs = [3, *self.out_channels[:-1]]
        pairs = zip(inputs, self.out_channels, strict=True)
        self.blocks = nn.ModuleList(ConvBlock(channels, out, padding_mode) for channels, out in pairs)
        self.pool = nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for block in self.blocks:
            maps.append(block(self.pool(maps[-1]) if maps else images))
        return maps


class UNet(nn.Module):
    """Images ``(B, 3, H, W)``, already normalised, to logits ``(B, num_classes, H, W)``.

    H and W must be multiples of ``2 ** depth``. With the defaults: 31,110,497 parameters, 16,000 BatchNorm statistics.

    Source: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015; with padded
    convolutions and BatchNorm, also after the concatenation.

    Args:
        num_classes: channels of the logits.
        width: channels of the first block; each further block has twice as many.
        depth: number of halvings.
        padding_mode: padding of convolutions: ``zeros``, or the mirrored picture (``reflect``).

    Raises:
        ModelError: if an argument is impossible; when called, if the picture does not fit.
    """

    def __init__(
        self, num_classes: int = 1, width: int = 32, depth: int = 5, padding_mode: PaddingMode = "zeros"
    ) -> None:
        super().__init__()
        for name, value in (("num_classes", num_classes), ("width", width), ("depth", depth)):
            if value < 1:
                raise ModelError(f"{name} {value} is too small; give 1 or more")
        if depth > DEEPEST:
            raise ModelError(f"depth {depth} is too large; give {DEEPEST} or less")
        if padding_mode not in get_args(PaddingMode):
            raise ModelError(f"padding_mode {padding_mode!r} does not exist; choose {', '.join(get_args(PaddingMode))}")
        self.reduction = 2**depth
        # A border can be mirrored where there is a pixel behind it, in the coarsest map, too.
        self.smallest_side = self.reduction * (2 if padding_mode == "reflect" else 1)
        self.encoder = UNetEncoder(width, depth, padding_mode)
        self.pool = nn.MaxPool2d(2)
        self.centre = ConvBlock(width * 2 ** (depth - 1), width * 2**depth, padding_mode)
        channels = reversed(self.encoder.out_channels)
        self.decoder = nn.ModuleList(DecoderBlock(out, padding_mode) for out in channels)
        self.head = nn.Conv2d(width, num_classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                # As Keras does; torch's default takes a transposed convolution's inputs for outputs.
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        self._check_size(images.shape[-2], images.shape[-1])
        skips = self.encoder(images)
        maps = self.centre(self.pool(skips[-1]))
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            maps = block(maps, skip)
        logits: Tensor = self.head(maps)
        return logits

    def _check_size(self, height: int, width: int) -> None:
        if height % self.reduction or width % self.reduction:
            raise ModelError(
                f"pictures of {height}x{width} pixels do not fit UNet: both sides must be multiples of {self.reduction}"
            )
        if min(height, width) < self.smallest_side:
            raise ModelError(
                f"pictures of {height}x{width} pixels are too small for UNet with padding_mode reflect: both sides "
                f"must be {self.smallest_side} or more; use larger ones, or padding_mode zeros"
            )
