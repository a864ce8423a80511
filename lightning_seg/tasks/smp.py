"""Networks of segmentation-models-pytorch as a task."""

from typing import Any, Unpack

import torch
from torch import Tensor

from lightning_seg.errors import ConfigError, one_line
from lightning_seg.models.normalization import Normalization
from lightning_seg.models.padding import pad_to_multiple
from lightning_seg.models.smp import architecture, native_size, picture_multiple
from lightning_seg.models.smp_weights import create_pretrained, pretrained_normalization
from lightning_seg.tasks.options import PretrainedMasks
from lightning_seg.tasks.segmentation import SegmentationTask


class SmpTask(SegmentationTask):
    """An architecture of segmentation-models-pytorch (smp) on one of its encoders.

    Args:
        num_classes: classes per pixel.
        arch: ``unet``, ``unetplusplus``, ``manet``, ``linknet``, ``fpn``, ``pspnet``, ``deeplabv3``, ``deeplabv3plus``,
            ``pan``, ``upernet``, ``segformer`` or ``dpt``.
        encoder_name: an encoder of smp, or ``tu-`` and the name of a network of timm.
        encoder_weights: ``imagenet`` or another name that smp has for this encoder (downloaded from the Hugging Face
            hub), a file with the encoder's state dict (``.pth`` or ``.safetensors``), or None.
        arch_options: further arguments of the architecture, for instance ``decoder_channels``.
        normalization: what the encoder's weights expect, see ``Normalize``; None takes smp's value for them, and
            ``imagenet`` for random ones.
        freeze_encoder: train the decoder alone.
        lr: learning rate.
        options: see ``SegmentationTask``.

    Raises:
        ConfigError: if a name or option does not exist, or smp cannot build or run the network.
        WeightsError: if there are no such weights, or a file is missing or of another encoder.
        DownloadError: if the published weights cannot be fetched.
    """

    def __init__(
        self,
        num_classes: int = 3,
        arch: str = "unet",
        encoder_name: str = "resnet34",
        encoder_weights: str | None = "imagenet",
        arch_options: dict[str, Any] | None = None,
        normalization: Normalization | None = None,
        freeze_encoder: bool = False,
        lr: float = 1e-3,
        **options: Unpack[PretrainedMasks],
    ) -> None:
        # Checkpoints hold plain values only, and save_hyperparameters reads these names.
        arch, encoder_weights = architecture(arch), None if encoder_weights is None else str(encoder_weights)
        model = create_pretrained(arch, encoder_name, encoder_weights, num_classes, arch_options or {})
        leaves_normalization = normalization is None
        if normalization is None:
            normalization = pretrained_normalization(encoder_name, encoder_weights)
        super().__init__(
            model=model,
            num_classes=num_classes,
            normalization=normalization,
            freeze_encoder=freeze_encoder,
            lr=lr,
            **options,
        )
        self.leaves_normalization = leaves_normalization
        self._checked_size: torch.Size | None = None
        size = native_size(model, arch_options or {})
        if size is not None:
            self.example_input_array = torch.zeros(1, 3, *size, dtype=torch.uint8)
        self.warn_of_random_features()
        self._check_picture()

    @property
    def reduction(self) -> int:
        return picture_multiple(self.model)

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self._check_picture()

    def _check_picture(self) -> None:
        """Send one picture through the network: some networks take only certain sizes, or return smaller maps."""
        assert isinstance(self.example_input_array, Tensor)
        if self.example_input_array.shape == self._checked_size:
            return
        images = pad_to_multiple(self.normalize(self.example_input_array.to(self.device)), self.reduction)
        height, width = images.shape[-2:]
        what = f"{self.hparams['arch']} with {self.hparams['encoder_name']}"
        try:
            with self.evaluating():
                size = self.model(images).shape[-2:]
        # smp and timm refuse by errors of all kinds.
        except Exception as error:
            raise ConfigError(
                f"{what} cannot take pictures of {height} x {width}: {one_line(error)}; give another image_size, "
                "encoder_name or arch_options (for vision transformers img_size, or dynamic_img_size true)"
            ) from error
        if size != (height, width):
            raise ConfigError(
                f"{what} turns pictures of {height} x {width} into logits of {size[0]} x {size[1]}; set upsampling "
                "and encoder_depth in arch_options so that they fit together"
            )
        self._checked_size = self.example_input_array.shape
