"""Sliding classifiers by name: VGG16 and MobileNetV2 of torchvision, and networks of timm."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import MobileNet_V2_Weights, VGG16_Weights, WeightsEnum, mobilenet_v2, vgg16

from lightning_seg.errors import ConfigError, unknown_name
from lightning_seg.models.normalization import Normalization
from lightning_seg.models.sliding.classifier import (
    FlattenedHead,
    PooledHead,
    SlidingClassifier,
    WindowHead,
    check_window,
)
from lightning_seg.models.sliding.timm_backbones import create_sliding_timm
from lightning_seg.models.sliding.weights import DRAWN, drawn_seed, fill_but_other_classes, numpy_vgg16_state
from lightning_seg.models.timm_classifier import expected_normalization
from lightning_seg.models.weights import load_pretrained, pretrained_wanted, read_state_dict


def create_sliding(
    backbone: str, weights: str | None, num_classes: int = 1000, window: int | None = None
) -> SlidingClassifier:
    """A network split into features and head.

    Its state dict has the library's entries under longer names: torchvision's ``features.`` is ``encoder.`` and
    ``classifier.`` is ``head.classifier.``; timm's names follow ``encoder.network.`` or ``head.network.``.

    Args:
        backbone: ``vgg16`` or ``mobilenet_v2`` of torchvision, or a network of timm, with or without the tag of its
            weights, whose head averages a feature map.
        weights: ``imagenet`` for the published ones, a file in the library's layout (``.pth`` or ``.safetensors``),
            ``numpy:SEED`` for those of ``numpy_vgg16_state``, or None.
        num_classes: logits per window. If the weights have another number of classes, or lack the last layer, only this
            layer starts at random.
        window: its side in pixels; None takes the network's own. VGG16 takes no other.

    Raises:
        ConfigError: if there is no such network, it cannot slide, or the window does not fit.
        WeightsError: if there are no such weights, or they are of another network.
        DownloadError: if the published ones cannot be fetched.
    """
    if backbone not in TORCHVISION and not timm.is_model(backbone):
        raise unknown_name("backbone", backbone, sorted({*TORCHVISION, *timm.list_models()}))
    if weights is not None and weights.startswith(DRAWN):
        drawn_seed(backbone, weights)
    create = _create_torchvision if backbone in TORCHVISION else create_sliding_timm
    return create(backbone, weights, num_classes, window)


def sliding_normalization(backbone: str, weights: str | None) -> Normalization:
    """The weights' normalization: ``imagenet`` for torchvision, timm's own otherwise."""
    return "imagenet" if backbone in TORCHVISION else expected_normalization(backbone, weights)


class PooledClassifier(PooledHead):
    """The mean of the window, followed by ``classifier``."""

    def __init__(self, classifier: nn.Sequential, cells: int) -> None:
        super().__init__(cells)
        self.classifier = classifier

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classifier(F.adaptive_avg_pool2d(features, 1).flatten(1))
        return logits


class Torchvision(NamedTuple):
    """A network that consists of ``features`` and ``classifier``."""

    build: Callable[..., Any]
    published: WeightsEnum
    head: Callable[[nn.Sequential, int], WindowHead]
    window: int = 224
    stride: int = 32


TORCHVISION: Mapping[str, Torchvision] = {
    "vgg16": Torchvision(vgg16, VGG16_Weights.IMAGENET1K_V1, FlattenedHead),
    "mobilenet_v2": Torchvision(mobilenet_v2, MobileNet_V2_Weights.IMAGENET1K_V1, PooledClassifier),
}


def _create_torchvision(backbone: str, weights: str | None, num_classes: int, window: int | None) -> SlidingClassifier:
    recipe = TORCHVISION[backbone]
    window = recipe.window if window is None else window
    if recipe.head is FlattenedHead and window != recipe.window:
        raise ConfigError(
            f"window {window} does not go with {backbone}, whose head is for {recipe.window}; set it null"
        )
    check_window(backbone, window, recipe.stride)
    if weights is None or not pretrained_wanted():
        network = recipe.build(weights=None, num_classes=num_classes)
    else:
        network = _loaded(backbone, weights, num_classes)
    head = recipe.head(network.classifier, window // recipe.stride)
    return SlidingClassifier(network.features, head, recipe.stride)


def _loaded(backbone: str, weights: str, num_classes: int) -> Any:
    build, published = TORCHVISION[backbone][:2]
    # Random numbers that weights replace at once would take VGG16 longer than reading these.
    with torch.device("meta"):
        network = build(weights=None, num_classes=num_classes)
    network.to_empty(device="cpu")
    last = network.classifier[-1]
    # As torchvision draws it.
    nn.init.normal_(last.weight, 0, 0.01)
    nn.init.zeros_(last.bias)
    if weights != "imagenet":
        drawn = weights.startswith(DRAWN)
        state = numpy_vgg16_state(drawn_seed(backbone, weights)) if drawn else read_state_dict(Path(weights))
        fill_but_other_classes(network, last, state, weights, "torchvision")
        return network
    if num_classes != len(published.meta["categories"]):
        # Entries that the network lacks are left aside.
        network.classifier[-1] = nn.Identity()
    load_pretrained(network, weights, published, "weights")
    network.classifier[-1] = last
    return network
