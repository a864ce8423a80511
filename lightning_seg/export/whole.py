"""The whole job of a trained task as one function of pictures, by the kind of its predictions."""

from collections.abc import Callable
from typing import Any

from torch import nn

from lightning_seg.batch import BoxPrediction, LabelPrediction, MaskPrediction
from lightning_seg.errors import ConfigError
from lightning_seg.export.boxes import WholeBoxes
from lightning_seg.export.labels import WholeLabels
from lightning_seg.export.masks import WholeMasks
from lightning_seg.inference.boxes import BoxInference
from lightning_seg.inference.labels import LabelInference
from lightning_seg.inference.masks import MaskInference
from lightning_seg.model_file import Kind

Size = tuple[int, int]
KINDS: dict[type, Kind] = {MaskPrediction: "masks", LabelPrediction: "labels", BoxPrediction: "boxes"}
"""What the contract calls each kind of prediction."""


def kind_of(task: Any) -> Kind:
    """The kind of a task's predictions.

    Raises:
        ConfigError: if it gives none that a file can hold.
    """
    kind = KINDS.get(getattr(task, "prediction", None))  # type: ignore[arg-type]
    if kind is None:
        raise ConfigError(f"{type(task).__name__} gives neither masks nor labels nor boxes; export another run")
    return kind


def whole_job(task: Any, image_size: Size | None, inference: Any) -> nn.Module:
    """Pictures ``(N, H, W, 3)`` uint8 to the outputs of ``model_file``.

    Args:
        task: trained, in eval mode.
        image_size: (height, width) that it was trained at.
        inference: how it predicts; views and tiles are the caller's matter.

    Raises:
        ConfigError: if the task gives nothing that a file can hold, or asks for what no file does.
    """
    return _JOBS[kind_of(task)](task, image_size, inference)


def _masks(task: Any, image_size: Size | None, inference: MaskInference) -> nn.Module:
    return WholeMasks(task, image_size, inference.threshold)


def _labels(task: Any, image_size: Size | None, inference: LabelInference) -> nn.Module:
    if image_size is None:
        raise ConfigError(
            f"{type(task).__name__}: its checkpoint does not say at which size it has learned; train anew"
        )
    return WholeLabels(task, image_size)


def _boxes(task: Any, image_size: Size | None, inference: BoxInference) -> nn.Module:
    if inference.detector != "map":
        raise ConfigError(f"detector {inference.detector} cannot be exported, all windows come from one pass; leave it")
    return WholeBoxes(task, inference)


_JOBS: dict[Kind, Callable[[Any, Size | None, Any], nn.Module]] = {"masks": _masks, "labels": _labels, "boxes": _boxes}
