"""U-Net as a task."""

from typing import Unpack

from lightning_seg.models.normalization import Normalization
from lightning_seg.models.unet import PaddingMode, UNet
from lightning_seg.tasks.options import PlainMasks
from lightning_seg.tasks.segmentation import SegmentationTask


class UNetTask(SegmentationTask):
    """The U-Net of the Carvana tutorial, trained from random weights.

    Args:
        num_classes: channels of the logits; 1 stands for two classes that one logit tells apart.
        width: channels of the first block; each further block has twice as many.
        depth: number of halvings; pictures are padded to a multiple of ``2 ** depth``.
        padding_mode: padding of convolutions: ``zeros``, or the mirrored picture (``reflect``).
        normalization: see ``Normalize``.
        lr: learning rate.
        options: see ``SegmentationTask``.

    Raises:
        ModelError: if the network cannot be built.

    Examples:
        >>> task = UNetTask(width=2, depth=1)
        >>> task(torch.zeros(1, 3, 10, 6, dtype=torch.uint8)).shape
        torch.Size([1, 1, 10, 6])
    """

    def __init__(
        self,
        num_classes: int = 1,
        width: int = 32,
        depth: int = 5,
        padding_mode: PaddingMode = "zeros",
        normalization: Normalization = "unit",
        lr: float = 1e-3,
        **options: Unpack[PlainMasks],
    ) -> None:
        model = UNet(num_classes, width, depth, padding_mode)
        super().__init__(model=model, num_classes=num_classes, normalization=normalization, lr=lr, **options)
