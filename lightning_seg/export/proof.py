"""The proof of an exported file: its answers beside those of the task, on the same decoded pictures."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lightning_seg.errors import ExportError
from lightning_seg.export.reference import Answer
from lightning_seg.images import Array
from lightning_seg.model_file import Kind

SAME = 0.999
"""Least share of pixels, or of pictures, of the same class."""
PROBS = 1e-3
"""Largest difference of probabilities."""
PIXELS = 0.5
"""Largest difference of the sides of a box, in pixels of the picture."""


@dataclass
class Differences:
    """How far a file and the task differ, over all pictures."""

    pictures: int = 0
    sizes: list[str] = field(default_factory=list)
    same: float = 1.0  # share of the same class, of the worst picture
    probs: float = 0.0
    boxes: float = 0.0
    rounded: int = 0  # pictures in which rounding decides what is merged into which object
    worst: str = ""  # where they differ most
    beyond: float = 0.0  # the largest difference there, 1 is its limit

    def add(self, name: str, same: float, probs: float, boxes: float = 0.0) -> None:
        """Of one picture."""
        beyond = max((1 - same) / (1 - SAME), probs / PROBS, boxes / PIXELS)
        if not self.worst or beyond > self.beyond:
            self.worst, self.beyond = name, beyond
        self.pictures += 1
        self.same, self.probs, self.boxes = min(self.same, same), max(self.probs, probs), max(self.boxes, boxes)

    @property
    def is_small(self) -> bool:
        return _is_small(self.same, self.probs, self.boxes)

    def as_dict(self) -> dict[str, Any]:
        """For the metadata of the file."""
        return {
            "pictures": self.pictures,
            "sizes": self.sizes,
            "same": round(self.same, 6),
            "probs": float(f"{self.probs:.3g}"),
            "boxes": float(f"{self.boxes:.3g}"),
            "rounded": self.rounded,
        }

    def describe(self, kind: Kind) -> str:
        """One line."""
        same = {"masks": "pixels of the same class", "labels": "the same class", "boxes": "the same objects"}[kind]
        boxes = f", boxes within {self.boxes:.2g} pixels" * (kind == "boxes")
        rounded = f", where {self.rounded} of {self.pictures} are merged anew from the file's own windows" * (
            self.rounded > 0
        )
        return f"{100 * self.same:.4g} % {same}{rounded}, probabilities within {self.probs:.2g}{boxes}"


class Merging(Protocol):
    """What a file's merging is held against where rounding decides, see ``compare``."""

    def windows(self, images: Array, row: int) -> tuple[Answer, Answer]:
        """All windows above the threshold, as the task and as the file have found them: of pictures ``(N, H, W, 3)``,
        in one of them.
        """

    def merged(self, images: Array, row: int) -> Answer:
        """The objects that the task's merging makes of the file's windows."""


def several_sizes(pictures: Sequence[tuple[str, Array]]) -> Iterator[tuple[str, Array]]:
    """Batches ``(N, H, W, 3)``: the pictures one by one as they are, some of them at other sizes (odd sides, a strip,
    larger, very small), one without anything in it, and three at once.
    """
    for name, picture in pictures:
        yield name, picture[None]
    for number, (how, make) in enumerate(_OTHERS.items()):
        name, picture = pictures[number % len(pictures)]
        yield f"{name}, {how}", np.ascontiguousarray(make(picture))[None]
    name, picture = pictures[-1]
    yield "a grey picture", np.full_like(picture, 128)[None]
    yield f"{name}, beside its mirror images", np.stack([picture, picture[:, ::-1], picture[::-1]])


_OTHERS: dict[str, Callable[[Array], Array]] = {
    "cut to odd sides": lambda picture: picture[
        : max(1, (picture.shape[0] - 1) | 1), : max(1, (picture.shape[1] - 2) | 1)
    ],
    "an upper strip": lambda picture: picture[: max(1, picture.shape[0] // 5)],
    "twice as large": lambda picture: cv2.resize(picture, (2 * picture.shape[1], 2 * picture.shape[0])),
    "33 x 47 pixels": lambda picture: cv2.resize(picture, (33, 47)),
}


def compare(
    kind: Kind,
    batches: Iterable[tuple[str, Array]],
    reference: Callable[[Array], Answer],
    answer: Callable[[Array], Mapping[str, NDArray[Any]]],
    threshold: float,
    merging: Merging | None = None,
) -> Differences:
    """Both answers to each picture.

    Args:
        kind: of the predictions.
        batches: names and decoded pictures ``(N, H, W, 3)``.
        reference: the task, of one picture ``(H, W, 3)``.
        answer: the file; it gets the batches.
        threshold: of boxes; objects that only rounding keeps on one side of it may be missing on the other.
        merging: asked where objects differ: of windows that are nearly equally likely, rounding decides which one is
            the best and begins an object, so that the windows agree and the objects do not. The windows are then
            compared, and the file's merging is held against the task's on the same windows.
    """
    found = Differences()
    for name, images in batches:
        found.sizes.append(f"{images.shape[2]}x{images.shape[1]}")
        given = answer(images)
        for row, picture in enumerate(images):
            expected, mine = reference(picture), row_of(kind, given, row)
            values = _COMPARE[kind](expected, mine, threshold)
            if merging is not None and not _is_small(*values) and values[1] <= PROBS:
                values = _merged_anew(merging, images, row, expected, mine, threshold)
                found.rounded += _is_small(*values)
            found.add(name, *values)
    return found


def _merged_anew(
    merging: Merging, images: Array, row: int, expected: Answer, given: Answer, threshold: float
) -> tuple[float, float, float]:
    windows = _boxes(*merging.windows(images, row), threshold)
    objects = _boxes({**expected, **merging.merged(images, row)}, given, threshold)
    return min(windows[0], objects[0]), max(windows[1], objects[1]), max(windows[2], objects[2])


def row_of(kind: Kind, given: Mapping[str, NDArray[Any]], row: int) -> Answer:
    """The answer to one picture of a batch."""
    if kind != "boxes":
        return {name: values[row : row + 1] for name, values in given.items()}
    mine = given["picture"] == row
    objects = {name: given[name][mine] for name in ("picture", "boxes", "scores", "labels")}
    views = {name: given[name][row : row + 1] for name in ("maps", "whole", "window_probs")}
    return {**given, **objects, **views}


def check(differences: Differences, kind: Kind) -> None:
    """Raises ExportError if a file answers otherwise than the task."""
    if not differences.is_small:
        raise ExportError(
            f"the exported file answers otherwise than the run, most at {differences.worst}: "
            f"{differences.describe(kind)}; nothing is written, since {100 * SAME} % and {PROBS} are the limits"
        )


def check_numbers(differences: Differences) -> None:
    """Raises ExportError if a file of reduced precision answers with NaN, or with other shapes than the task."""
    if not np.isfinite(differences.probs):
        raise ExportError(
            f"the exported file answers with no numbers at {differences.worst}; nothing is written. Give another "
            "precision"
        )


def _is_small(same: float, probs: float, boxes: float = 0.0) -> bool:
    return same >= SAME and probs <= PROBS and boxes <= PIXELS


def _largest(expected: Answer, given: Answer, names: Sequence[str]) -> float:
    differences = [0.0]
    for name in names:
        if expected[name].shape != given[name].shape:
            return float("inf")
        if expected[name].size:
            differences.append(float(np.abs(expected[name].astype(np.float64) - given[name]).max()))
    # A file that answers NaN where the task has numbers differs without limit.
    return float("inf") if np.isnan(differences).any() else max(differences)


def _masks(expected: Answer, given: Answer, threshold: float) -> tuple[float, float]:
    probs = _largest(expected, given, ["probs", "confidence", "entropy"])
    return float((expected["mask"] == given["mask"]).mean()) if np.isfinite(probs) else 0.0, probs


def _labels(expected: Answer, given: Answer, threshold: float) -> tuple[float, float]:
    probs = _largest(expected, given, ["probs", "confidence", "entropy"])
    likely = np.sort(expected["probs"][0])[-2:]
    # Of two classes that are equally likely either may win.
    is_tied = bool(likely[1] - likely[0] <= 2 * PROBS)
    return float(is_tied or bool(expected["label"][0] == given["label"][0])), probs


def _boxes(expected: Answer, given: Answer, threshold: float) -> tuple[float, float, float]:
    probs = _largest(expected, given, ["maps", "whole", "window_probs"])
    boxes, scores, missing = _largest(expected, given, ["window_boxes"]), 0.0, 0
    for one, other in ((expected, given), (given, expected)):
        for box, score, label in zip(one["boxes"], one["scores"], one["labels"], strict=True):
            near = _nearest(box, label, other)
            if near is None or np.abs(near[0] - box).max() > PIXELS or abs(near[1] - float(score)) > PROBS:
                missing += int(abs(float(score) - threshold) > PROBS)
            else:
                boxes = max(boxes, float(np.abs(near[0] - box).max()))
                scores = max(scores, abs(near[1] - float(score)))
    number = len(expected["boxes"]) + len(given["boxes"])
    return 1.0 - missing / max(1, number), max(probs, scores), boxes


def _nearest(box: NDArray[Any], label: int, answer: Answer) -> tuple[NDArray[Any], float] | None:
    """The box of this label that differs least, with its score."""
    mine = answer["labels"] == label
    if not mine.any():
        return None
    index = int(np.abs(answer["boxes"][mine] - box).max(axis=1).argmin())
    return answer["boxes"][mine][index], float(answer["scores"][mine][index])


_COMPARE: dict[Kind, Callable[[Answer, Answer, float], tuple[float, ...]]] = {
    "masks": _masks,
    "labels": _labels,
    "boxes": _boxes,
}
