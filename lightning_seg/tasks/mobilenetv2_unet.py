"""MobileNetV2-UNet as a task."""

from typing import Unpack

from torchvision.models import MobileNet_V2_Weights

from lightning_seg.models.mobilenetv2_unet import MobileNetV2UNet
from lightning_seg.models.normalization import Normalization
from lightning_seg.models.weights import load_pretrained
from lightning_seg.tasks.options import PretrainedMasks
from lightning_seg.tasks.segmentation import SegmentationTask


class MobileNetV2UNetTask(SegmentationTask):
    """The tutorial's U-Net on a MobileNetV2 encoder; both sides of a picture must be multiples of 32.

    Args:
        num_classes: classes per pixel.
        encoder_weights: ``imagenet`` (downloaded from torchvision), a file in torchvision's layout, or None.
        freeze_encoder: train the decoder alone.
        normalization: what the encoder's weights expect; torchvision's expect ``imagenet``.
        lr: learning rate.
        options: see ``SegmentationTask``.

    Raises:
        WeightsError: if the file is missing or of another network.
        DownloadError: if the published weights cannot be fetched.
    """

    def __init__(
        self,
        num_classes: int = 3,
        encoder_weights: str | None = "imagenet",
        freeze_encoder: bool = True,
        normalization: Normalization = "imagenet",
        lr: float = 1e-3,
        **options: Unpack[PretrainedMasks],
    ) -> None:
        # Checkpoints hold plain values only, and save_hyperparameters reads this name.
        encoder_weights = None if encoder_weights is None else str(encoder_weights)
        model = MobileNetV2UNet(num_classes)
        load_pretrained(model.encoder, encoder_weights, MobileNet_V2_Weights.IMAGENET1K_V1)
        super().__init__(
            model=model,
            num_classes=num_classes,
            freeze_encoder=freeze_encoder,
            normalization=normalization,
            lr=lr,
            **options,
        )
        self.warn_of_random_features()
