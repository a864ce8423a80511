"""The pets tutorial's U-Net: MobileNetV2 features down, pix2pix upsampling blocks up."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from lightning_seg.errors import ModelError


class MobileNetV2Encoder(nn.Module):
    """The MobileNetV2 features that the decoder reads, under torchvision's parameter names.

    ``(B, 3, H, W)`` gives five maps, finest first: the expanded ReLU6 of inverted-residual blocks 1, 3, 6 and 13 (96 @
    1/2, 144 @ 1/4, 192 @ 1/8, 576 @ 1/16) and the projection of block 16 before its BatchNorm (320 @ 1/32). Later
    layers are not built.

    Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018.
    """

    out_channels = (96, 144, 192, 576, 320)
    tapped_blocks = (1, 3, 6, 13)
    last_block = 16

    def __init__(self) -> None:
        super().__init__()
        # torchvision counts the stem as features[0], so block n is features[n + 1].
        self.features = mobilenet_v2(weights=None).features[: self.last_block + 2]
        self.features[-1].conv = self.features[-1].conv[:-1]

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = []
        x = self.features[0](images)
        for number, block in enumerate(self.features[1:]):
            if number in self.tapped_blocks:
                # Every tapped block has stride 2, so there is no residual to add.
                maps.append(block.conv[0](x))
                x = block.conv[1:](maps[-1])
            else:
                x = block(x)
        return [*maps, x]


def upsampling_conv(in_channels: int, out_channels: int, bias: bool = True) -> nn.ConvTranspose2d:
    """3x3, stride 2, output exactly twice the input; its grid matches the encoder's symmetric stride-2 padding."""
    return nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1, bias=bias)


class UpsampleBlock(nn.Sequential):
    """pix2pix's upsampling block: ``(B, C, H, W)`` to ``(B, out_channels, 2H, 2W)``.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        conv = upsampling_conv(in_channels, out_channels, bias=False)
        nn.init.normal_(conv.weight, 0.0, 0.02)
        super().__init__(conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


class MobileNetV2UNet(nn.Module):
    """Images ``(B, 3, H, W)``, already normalised, to logits ``(B, num_classes, H, W)``.

    H and W must be multiples of 32. With three classes: 6,471,395 parameters, of which 4,660,323 lie outside the
    encoder.
    """

    reduction = 32

    def __init__(self, num_classes: int = 3, decoder_channels: Iterable[int] = (512, 256, 128, 64)) -> None:
        super().__init__()
        self.encoder = MobileNetV2Encoder()
        *skip_channels, channels = self.encoder.out_channels
        blocks = []
        for out_channels, skip in zip(decoder_channels, reversed(skip_channels), strict=True):
            blocks.append(UpsampleBlock(channels, out_channels))
            channels = out_channels + skip
        self.decoder = nn.ModuleList(blocks)
        self.head = upsampling_conv(channels, num_classes)
        # As Keras does; torch's default takes a transposed convolution's inputs for outputs and starts far too large.
        nn.init.xavier_uniform_(self.head.weight)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if height % self.reduction or width % self.reduction:
            raise ModelError(
                f"pictures of {height}x{width} pixels do not fit MobileNetV2UNet: both sides must be multiples of "
                f"{self.reduction}"
            )
        *skips, x = self.encoder(images)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            x = torch.cat([block(x), skip], dim=1)
        logits: Tensor = self.head(x)
        return logits
