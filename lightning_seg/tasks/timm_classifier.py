"""Classifiers of timm as a task."""

from collections.abc import Sequence
from typing import Unpack

import torch

from lightning_seg.errors import ConfigError, one_line
from lightning_seg.models.normalization import Normalization
from lightning_seg.models.timm_classifier import TimmClassifier, create_encoder, expected_normalization
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.options import PretrainedLabels


class TimmClassifierTask(ClassificationTask):
    """A network of timm with a new classifier.

    Args:
        arch: its name, with or without the tag of its weights: ``resnet50``, ``resnet50.a1_in1k``.
        weights: ``imagenet`` for those that timm has (downloaded from the Hugging Face hub), a file in timm's layout
            with or without its classifier (``.pth`` or ``.safetensors``), or None.
        num_classes: number of classes.
        normalization: what the weights expect, see ``Normalize``; None takes timm's value for them, and ``imagenet``
            for random ones.
        drop_rate: share of the encoder's features that is dropped in training.
        freeze_encoder: train the new classifier alone.
        options: see ``ClassificationTask``.

    Raises:
        ConfigError: if a name does not exist, or timm cannot build or run the network.
        WeightsError: if there are no such weights, or a file is missing or of another network.
        DownloadError: if the published weights cannot be fetched.
    """

    model: TimmClassifier

    def __init__(
        self,
        arch: str = "resnet50",
        weights: str | None = "imagenet",
        num_classes: int = 120,
        normalization: Normalization | None = None,
        drop_rate: float = 0.0,
        freeze_encoder: bool = False,
        **options: Unpack[PretrainedLabels],
    ) -> None:
        # Checkpoints hold plain values only, and save_hyperparameters reads these names.
        weights = None if weights is None else str(weights)
        model = TimmClassifier(create_encoder(arch, weights), num_classes, drop_rate)
        leaves_normalization = normalization is None
        if normalization is None:
            normalization = expected_normalization(arch, weights)
        super().__init__(
            model=model, num_classes=num_classes, normalization=normalization, freeze_encoder=freeze_encoder, **options
        )
        self.leaves_normalization = leaves_normalization
        if model.fixed_size is not None:
            self.example_input_array = torch.zeros(1, 3, *model.fixed_size, dtype=torch.uint8)
        self.warn_of_random_features("weights")

    def check_picture_size(self, size: Sequence[int]) -> None:
        arch, fixed, (height, width) = self.hparams["arch"], self.model.fixed_size, size
        if fixed is not None and tuple(size) != fixed:
            side = fixed[0] if fixed[0] == fixed[1] else list(fixed)
            raise ConfigError(
                f"{arch} takes pictures of {fixed[0]} x {fixed[1]} only, not of {height} x {width}; set image_size "
                f"{side}, or another arch"
            )
        try:
            with self.evaluating():
                self(torch.zeros(1, 3, height, width, dtype=torch.uint8, device=self.device))
        # timm refuses by errors of all kinds.
        except Exception as error:
            raise ConfigError(
                f"{arch} cannot take pictures of {height} x {width}: {one_line(error)[:300]}; give another image_size "
                "or arch"
            ) from error
