"""What a model has said of one picture, as arrays: what is written and drawn, whoever has computed it."""

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class MaskAnswer(NamedTuple):
    """The answer of a segmentation model, at the size of the picture's file."""

    mask: NDArray[np.uint8]  # (H, W) class indices
    confidence: float  # mean over the pixels of the probability of the chosen class, in (0, 1]
    entropy: float  # mean over the pixels of the entropy relative to its maximum log(C), in [0, 1]
    probs: NDArray[np.float16] | None  # (C, H, W), if they were asked for

    @property
    def is_number(self) -> bool:
        """Whether the answer is not NaN."""
        return isfinite(self.confidence)


class LabelAnswer(NamedTuple):
    """The answer of a classification model."""

    probs: NDArray[np.float32]  # (C,)
    label: int  # the likeliest class
    confidence: float  # its probability, in (0, 1]
    entropy: float  # relative to its maximum log(C), in [0, 1]
    cam: NDArray[np.float32] | None = (
        None  # (h, w), 0 or more: which places speak for the label, over the whole picture
    )

    @property
    def is_number(self) -> bool:
        """Whether the answer is not NaN."""
        return bool(np.isfinite(self.probs).all())


class BoxAnswer(NamedTuple):
    """The answer of a detector; boxes are x1, y1, x2, y2 in pixels of the picture's file."""

    boxes: NDArray[np.float32]  # (N, 4)
    scores: NDArray[np.float32]  # (N,), the highest first
    labels: NDArray[np.int64]  # (N,)
    maps: NDArray[np.float32]  # (L, h, w) in [0, 1]: how likely each label is where, coarse, over the whole picture
    whole: NDArray[np.float32]  # (C,): probabilities of the picture as one window
    window_probs: NDArray[np.float32]  # (W, C): of the windows at the coarsest size, row by row
    window_boxes: NDArray[np.float32]  # (W, 4)

    @property
    def is_number(self) -> bool:
        """Whether the answer is not NaN."""
        return all(bool(np.isfinite(probs).all()) for probs in (self.maps, self.whole, self.window_probs))


Answer = MaskAnswer | LabelAnswer | BoxAnswer


def ranked(probs: ArrayLike, class_names: Sequence[str], number: int) -> list[tuple[str, float]]:
    """The likeliest classes by name with their probabilities, the likeliest first.

    Args:
        probs: ``(C,)``.
        class_names: by class index.
        number: of classes.

    Examples:
        >>> ranked([0.125, 0.625, 0.25], ["cat", "dog", "hen"], 2)
        [('dog', 0.625), ('hen', 0.25)]
    """
    values = np.asarray(probs)
    # Of equal ones the first comes first, as argmax has it.
    best = np.argsort(-values, kind="stable")[:number]
    return [(class_names[index], float(values[index])) for index in best]
