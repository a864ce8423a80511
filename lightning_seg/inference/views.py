"""Test-time augmentation: mean probabilities over a picture and its mirrored and turned views."""

from collections.abc import Callable

from torch import Tensor

from lightning_seg.inference.view_sets import VIEWS, View, ViewSet

Model = Callable[[Tensor], Tensor]
"""``(B, 3, H, W)`` uint8 RGB to probabilities ``(B, C, H, W)`` or ``(B, C)``."""


def show(view: View, images: Tensor) -> Tensor:
    """Pictures as this view has them."""
    return (images.flip(-1) if view.mirrored else images).rot90(view.turns, (-2, -1))


def undo(view: View, maps: Tensor) -> Tensor:
    """Maps of such pictures, turned back.

    Examples:
        >>> from lightning_seg.inference.view_sets import View
        >>> view = View(mirrored=True, turns=1)
        >>> picture = torch.arange(6).view(1, 1, 2, 3)
        >>> undo(view, show(view, picture)).equal(picture)
        True
    """
    upright = maps.rot90(-view.turns, (-2, -1))
    return upright.flip(-1) if view.mirrored else upright


def average_views(model: Model, views: ViewSet | None) -> Model:
    """A model with the mean probabilities over the views of a picture; maps are turned back first.

    Examples:
        A model that calls the left half 1, wherever it looks, averaged over a picture and its mirror image.

        >>> half = lambda images: torch.tensor([1.0, 0.0]).expand(len(images), 1, 1, 2)
        >>> average_views(half, "hflip")(torch.zeros(1, 3, 1, 2)).tolist()
        [[[[0.5, 0.5]]]]
    """
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
    probs = model(show(view, images))
    return undo(view, probs) if probs.ndim == 4 else probs
