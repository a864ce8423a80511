"""The arguments that constructors of tasks hand on to their base classes, by name and type."""

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from lightning_seg.models.normalization import Normalization


class Training(TypedDict, total=False):
    """See ``SupervisedTask``."""

    class_names: Sequence[str] | None
    unfreeze_epoch: int | None
    freeze_encoder_norm: bool
    encoder_lr_factor: float
    layer_decay: float
    optimizer: str
    weight_decay: float
    optimizer_options: dict[str, Any] | None
    schedule: str
    schedule_options: dict[str, Any] | None
    monitor: str | None


class WithRate(TypedDict, total=False):
    """See ``SupervisedTask``."""

    lr: float


class WithFreezing(TypedDict, total=False):
    """See ``SupervisedTask``."""

    freeze_encoder: bool


class SupervisedOptions(Training, WithRate, WithFreezing, total=False):
    """Of tasks that take any network."""

    normalization: Normalization


class MaskLoss(TypedDict, total=False):
    """See ``SegmentationTask``."""

    ignore_index: int
    ce_weight: float
    dice_weight: float
    label_smoothing: float
    class_weights: list[float] | Literal["auto"] | None
    extra_losses: dict[str, float | dict[str, float]] | None


class LabelLoss(TypedDict, total=False):
    """See ``ClassificationTask``."""

    label_smoothing: float
    class_weights: list[float] | Literal["auto"] | None


class PretrainedMasks(Training, MaskLoss, total=False):
    """Of segmentation tasks with an encoder."""


class PlainMasks(Training, MaskLoss, WithFreezing, total=False):
    """Of segmentation tasks without pretrained weights."""


class PretrainedLabels(Training, LabelLoss, WithRate, total=False):
    """Of classifiers with an encoder."""


class PlainLabels(Training, LabelLoss, WithFreezing, total=False):
    """Of classifiers without pretrained weights."""
