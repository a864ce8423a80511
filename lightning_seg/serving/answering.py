"""Answers made of probabilities, as ``inference`` makes them of tensors."""

from collections.abc import Iterable, Sequence
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_seg.answers import LabelAnswer, MaskAnswer
from lightning_seg.errors import ConfigError
from lightning_seg.images import Array
from lightning_seg.serving.bands import Band
from lightning_seg.serving.views import Probs


def mask_of(
    bands: Iterable[Band], size: Sequence[int], keep_probs: bool = False, threshold: float | None = None
) -> MaskAnswer:
    """The mask of one picture, mean confidence and mean entropy, from its bands.

    Raises:
        ConfigError: if there is a threshold and more than two classes.
    """
    height, width = size
    mask = np.empty((height, width), np.uint8)
    kept: NDArray[np.float16] | None = None
    confidence, entropy, num_classes = 0.0, 0.0, 2
    for top, probs in bands:
        num_classes, rows = probs.shape[:2]
        mask[top : top + rows], chosen = decide(probs, threshold)
        confidence += float(chosen.sum(dtype=np.float64))
        entropy += _entropy(probs)
        if keep_probs:
            kept = np.empty((num_classes, height, width), np.float16) if kept is None else kept
            kept[:, top : top + rows] = probs
    pixels = height * width
    return MaskAnswer(mask, confidence / pixels, entropy / pixels / log(max(2, num_classes)), kept)


def decide(probs: Probs, threshold: float | None = None) -> tuple[Array, Probs]:
    """Probabilities ``(C, H, W)`` to class indices ``(H, W)`` uint8, and the probabilities of these classes."""
    if threshold is None:
        return _likeliest(probs)
    if len(probs) != 2:
        raise ConfigError(f"threshold {threshold} separates two classes, this model has {len(probs)}; leave it out")
    second = probs[1] >= threshold
    return second.astype(np.uint8), np.where(second, probs[1], probs[0])


def label_of(probs: Probs) -> LabelAnswer:
    """From probabilities ``(C,)``."""
    label = int(probs.argmax())
    return LabelAnswer(probs, label, float(probs[label]), _entropy(probs) / log(max(2, len(probs))))


def _likeliest(probs: Probs) -> tuple[Array, Probs]:
    # A pass per class; numpy's argmax takes several times as long along the first side.
    chosen = probs[0].copy()
    classes = np.zeros(chosen.shape, np.uint8)
    for index, one in enumerate(probs[1:], 1):
        np.putmask(classes, one > chosen, index)
        np.maximum(chosen, one, out=chosen)
    return classes, chosen


def _entropy(probs: NDArray[Any]) -> float:
    """The sum over all of -p log p."""
    # The smallest normal number instead of 0, whose logarithm times 0 would be no number.
    within = np.clip(probs, np.finfo(np.float32).tiny, 1)
    logs = np.log(within)
    logs *= within
    return -float(logs.sum(dtype=np.float64))
