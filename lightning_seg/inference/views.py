"""Test-time augmentation: mean probabilities over a picture and its mirrored and turned views."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from torch import Tensor

from lightning_seg.errors import ConfigError

Model = Callable[[Tensor], Tensor]
"""``(B, 3, H, W)`` uint8 RGB to probabilities ``(B, C, H, W)`` or ``(B, C)``."""
ViewSet = Literal["hflip", "flips", "d4"]


class View(NamedTuple):
    """Left and right swapped if ``mirrored``, then turned by ``turns`` quarter turns."""

    mirrored: bool
    turns: int

    def apply(self, images: Tensor) -> Tensor:
        return (images.flip(-1) if self.mirrored else images).rot90(self.turns, (-2, -1))

    def undo(self, maps: Tensor) -> Tensor:
        upright = maps.rot90(-self.turns, (-2, -1))
        return upright.flip(-1) if self.mirrored else upright


VIEWS: dict[ViewSet, tuple[View, ...]] = {
    "hflip": (View(False, 0), View(True, 0)),
    "flips": (View(False, 0), View(True, 0), View(True, 2), View(False, 2)),
    "d4": tuple(View(mirrored, turns) for mirrored in (False, True) for turns in range(4)),
}
"""``hflip``: original and mirrored. ``flips``: also upside down, and both. ``d4``: all eight symmetries of a square."""


def check_views(views: str | None) -> None:
    """Raises ConfigError if there is no set of this name."""
    if views is not None and views not in VIEWS:
        raise ConfigError(f"tta {views!r} does not exist; choose {', '.join(VIEWS)}")


def average_views(model: Model, views: ViewSet | None) -> Model:
    """A model with the mean probabilities over the views of a picture; maps are turned back first."""
    if views is None:
        return model

    def averaged(images: Tensor) -> Tensor:
        answers = (_answer(model, view, images) for view in VIEWS[views])
        total = next(answers)
        for answer in answers:
            total = total + answer
        return total / len(VIEWS[views])

    return averaged


def _answer(model: Model, view: View, images: Tensor) -> Tensor:
    probs = model(view.apply(images))
    return view.undo(probs) if probs.ndim == 4 else probs
