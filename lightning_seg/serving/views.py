"""Mean probabilities over the views of pictures, as ``inference/views.py`` has them of tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.images import Array
from lightning_seg.inference.view_sets import VIEWS, View, ViewSet

Probs = NDArray[np.float32]
Model = Callable[[Array], Probs]
"""``(B, H, W, 3)`` uint8 RGB to probabilities ``(B, C, H, W)`` or ``(B, C)``."""


def average_views(model: Model, views: ViewSet | None) -> Model:
    """A model with the mean probabilities over the views of a picture; maps are turned back first."""
    if views is None:
        return model

    def averaged(images: Array) -> Probs:
        first, *others = VIEWS[views]
        # A copy, since onnxruntime's own memory is not ours to change.
        total = np.array(_answer(model, first, images))
        for view in others:
            total += _answer(model, view, images)
        total /= len(VIEWS[views])
        return total

    return averaged


def _answer(model: Model, view: View, images: Array) -> Probs:
    shown = images[:, :, ::-1] if view.mirrored else images
    probs = model(np.ascontiguousarray(np.rot90(shown, view.turns, (1, 2))))
    return _undo(view, probs) if probs.ndim == 4 else probs


def _undo(view: View, maps: NDArray[Any]) -> NDArray[Any]:
    upright = np.rot90(maps, -view.turns, (2, 3))
    return upright[..., ::-1] if view.mirrored else upright
