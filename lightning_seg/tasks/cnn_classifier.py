"""The small convolutional classifier as a task."""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import torch

from lightning_seg.errors import ConfigError
from lightning_seg.inference.labels import LabelInference
from lightning_seg.models.cnn_classifier import CNNClassifier
from lightning_seg.models.normalization import Normalization
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.options import PlainLabels


class CNNClassifierTask(ClassificationTask):
    """The tutorial's network of three convolutions, for pictures of one size.

    Args:
        num_classes: number of classes.
        image_size: side, or (height, width), of the pictures; on the command line that of the datamodule, which must
            not be None.
        dropout: share of the encoder's features that is dropped in training.
        normalization: see ``Normalize``.
        lr: learning rate.
        options: see ``ClassificationTask``.

    Raises:
        ConfigError: if there is no size.
        ModelError: if the pictures are too small, or ``dropout`` is not in [0, 1).

    Examples:
        >>> task = CNNClassifierTask(num_classes=3, image_size=32)
        >>> task(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        num_classes: int = 5,
        image_size: int | tuple[int, int] | None = 180,
        dropout: float = 0.0,
        normalization: Normalization = "unit",
        lr: float = 1e-3,
        **options: Unpack[PlainLabels],
    ) -> None:
        if image_size is None:
            raise ConfigError("image_size null: this network takes pictures of one size; give one, for instance 180")
        model = CNNClassifier(num_classes, image_size, dropout)
        super().__init__(model=model, num_classes=num_classes, normalization=normalization, lr=lr, **options)
        self.image_size = model.image_size
        self.example_input_array = torch.zeros(1, 3, *self.image_size, dtype=torch.uint8)

    def make_inference(self, given: Mapping[str, Any]) -> LabelInference:
        inference: LabelInference = super().make_inference(given)
        height, width = self.image_size
        if inference.tta == "d4" and height != width:
            raise ConfigError(
                f"tta d4 lays pictures on their side, this network takes {height} x {width} alone; use flips"
            )
        return inference

    def check_picture_size(self, size: Sequence[int]) -> None:
        if tuple(size) != self.image_size:
            (own_height, own_width), (height, width) = self.image_size, size
            raise ConfigError(
                f"the task has image_size {own_height} x {own_width}, the pictures have {height} x {width}; give both "
                "the same"
            )
