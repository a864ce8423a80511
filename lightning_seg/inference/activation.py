"""Class activation maps: which places of a picture speak for a class."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lightning_seg.errors import ModelError

UNEVEN = 2
"""Largest ratio of the factors by which a feature map is lower and narrower than its picture; rounding makes some."""
REMEDY = "give its task a method cam_layer(images) that returns another layer"


def class_activation(model: nn.Module, layer: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Grad-CAM (Selvaraju et al. 2017) by captum: ``(B, 1, h, w)`` float32, 0 where nothing speaks for the class.

    The channels of the feature map are summed, each weighted by the mean over the map of the gradient of the class's
    logit, and what is negative is 0. Values have no scale that holds for several pictures.

    Args:
        model: pictures to logits ``(B, C)``; in eval mode.
        layer: a part of it, whose output is a feature map ``(B, D, h, w)``.
        images: ``(B, 3, H, W)`` uint8 RGB.
        classes: ``(B,)`` int64, the class of each picture.
    """
    # Not before it is needed: it takes longer to import than all else that predicts labels.
    from captum.attr import LayerGradCam

    with _gradients():
        maps: Tensor = LayerGradCam(model, layer).attribute(_followed(images), classes.clone(), relu_attributions=True)
    return maps.detach().float()


def last_feature_map(model: nn.Module, network: nn.Module, images: Tensor) -> nn.Module:
    """The last layer of a network whose output is a feature map ``(B, D, h, w)`` of more than one cell.

    All that the logits know of the picture must come through it. So a layer beside others, and the maps of
    an attention, are none.

    Args:
        model: pictures to logits.
        network: its part that is searched.
        images: ``(B, 3, H, W)`` uint8 RGB; the first one is used.

    Raises:
        ModelError: if there is none.
    """
    name = type(network).__name__
    with _gradients():
        maps = _maps_of(model, network, images[:1])
        if not maps:
            raise ModelError(f"cam: no layer of {name} has a feature map (B, C, h, w) of more than one cell; {REMEDY}")
        layer, size = maps[-1]
        if _is_uneven(size, images.shape[-2:]) or _knows_more(model, layer, images[:1]):
            raise ModelError(
                f"cam: the last output of {name} of four dimensions, of a layer {type(layer).__name__}, is no feature "
                f"map (B, C, h, w) that all its logits come from; {REMEDY}"
            )
    return layer


@contextmanager
def _gradients() -> Iterator[None]:
    with torch.inference_mode(False), torch.enable_grad():
        yield


def _followed(images: Tensor) -> Tensor:
    """A copy of pictures in which gradients arrive, also where all weights are frozen."""
    return images.clone().float().requires_grad_()


def _maps_of(model: nn.Module, network: nn.Module, images: Tensor) -> list[tuple[nn.Module, torch.Size]]:
    """The layers with maps of more than one cell, in the order in which they end, and the (h, w) of these."""
    found: list[tuple[nn.Module, torch.Size]] = []

    def note(layer: nn.Module, given: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-2:].numel() > 1:
            found.append((layer, output.shape[-2:]))

    with _hooked(list(network.modules()), note), torch.no_grad():
        model(images)
    return found


def _is_uneven(cells: torch.Size, pixels: torch.Size) -> bool:
    down, across = (own / of_map for own, of_map in zip(pixels, cells, strict=True))
    return min(down, across) < 1 or max(down, across) > UNEVEN * min(down, across)


def _knows_more(model: nn.Module, layer: nn.Module, images: Tensor) -> bool:
    """Whether logits depend on the picture by another way than through this layer."""
    pixels = _followed(images)
    with _hooked([layer], lambda module, given, output: output.detach()):
        logits = model(pixels).sum()
    if not logits.requires_grad:
        return False
    return torch.autograd.grad(logits, pixels, allow_unused=True)[0] is not None


@contextmanager
def _hooked(layers: list[nn.Module], hook: Callable[[nn.Module, Any, Any], Any]) -> Iterator[None]:
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
