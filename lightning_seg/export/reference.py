"""The answer of the task itself to a picture, with the names of an exported file's outputs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_seg.export.whole import Size, kind_of
from lightning_seg.images import Array, resize_image
from lightning_seg.inference.bands import resized_bands
from lightning_seg.inference.masks import collect
from lightning_seg.model_file import Kind

Answer = Mapping[str, NDArray[Any]]
"""Outputs by name, of a batch of one picture."""


def reference_answer(task: Any, image_size: Size | None, inference: Any, picture: Array) -> Answer:
    """What ``predict`` says to a decoded picture.

    Args:
        task: trained, in eval mode.
        image_size: (height, width) at which it sees pictures; None shows them as they are.
        inference: how it predicts.
        picture: ``(H, W, 3)`` uint8 RGB.
    """
    shown = picture if image_size is None else resize_image(picture, image_size)
    images = torch.from_numpy(np.ascontiguousarray(shown)).permute(2, 0, 1).unsqueeze(0)
    with torch.inference_mode():
        answer = _ANSWERS[kind_of(task)](task, inference, images, picture.shape[:2])
    return {name: np.asarray(value) for name, value in answer.items()}


def _mask(task: Any, inference: Any, images: torch.Tensor, size: Size) -> dict[str, Any]:
    bands = list(resized_bands(task.probabilities(images)[0], size))
    said = collect(bands, size, threshold=inference.threshold)
    probs = torch.cat([band.probs for band in bands], dim=1)
    return {
        "mask": said.mask[None],
        "probs": probs[None],
        "confidence": [said.confidence],
        "entropy": [said.entropy],
    }


def _label(task: Any, inference: Any, images: torch.Tensor, size: Size) -> dict[str, Any]:
    (said,) = task.predict_pictures(images, [size], inference)
    return {
        "label": [said.label],
        "probs": said.probs[None],
        "confidence": [said.confidence],
        "entropy": [said.entropy],
    }


def _boxes(task: Any, inference: Any, images: torch.Tensor, size: Size) -> dict[str, Any]:
    (said,) = task.predict_pictures(images, [size], inference)
    return {
        "picture": np.zeros(len(said.boxes), np.int64),
        "boxes": said.boxes,
        "scores": said.scores,
        "labels": said.labels,
        "maps": said.maps[None],
        "whole": said.whole[None],
        "window_probs": said.window_probs[None],
        "window_boxes": said.window_boxes,
    }


_ANSWERS: dict[Kind, Callable[[Any, Any, torch.Tensor, Size], dict[str, Any]]] = {
    "masks": _mask,
    "labels": _label,
    "boxes": _boxes,
}
