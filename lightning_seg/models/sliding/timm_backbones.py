"""Sliding classifiers of timm: networks whose head averages a feature map, split before the head."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from lightning_seg.errors import ConfigError
from lightning_seg.models.hub import check_variant, fetching, timm_source
from lightning_seg.models.sliding.classifier import PooledHead, SlidingClassifier, check_window
from lightning_seg.models.sliding.weights import fill_but_other_classes
from lightning_seg.models.timm_classifier import create_encoder
from lightning_seg.models.weights import pretrained_wanted, read_state_dict

CHOICES = "give another one, for instance vgg16, mobilenet_v2, resnet50 or convnext_tiny"


class TimmEncoder(nn.Module):
    """Pictures to the feature map: ``network`` is everything before the head."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.network.forward_features(images)  # type: ignore[operator]
        return features


class TimmHead(PooledHead):
    """A window of the feature map to logits: ``network`` is the pooling and everything after it."""

    def __init__(self, network: nn.Module, cells: int) -> None:
        super().__init__(cells)
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.network.forward_head(features)  # type: ignore[operator]
        return logits


def create_sliding_timm(arch: str, weights: str | None, num_classes: int, window: int | None) -> SlidingClassifier:
    """``create_sliding`` for networks of timm, with the same arguments and errors."""
    published = weights == "imagenet" and timm.models.is_model_pretrained(arch)
    # Mistakes show before anything is fetched. This tells which weights there are, and refuses files of other networks.
    check_variant("backbone", arch)
    create_encoder(arch, None if published else weights)
    network = timm.create_model(arch, num_classes=num_classes)
    if weights is not None and pretrained_wanted() and not published:
        state = read_state_dict(Path(weights))
        fill_but_other_classes(network, network.get_classifier(), state, weights, "timm")
    sliding = _split(arch, network, window)
    if not (published and pretrained_wanted()):
        return sliding
    with fetching(timm_source(arch), arch, "weights"):
        # Where the number of classes is another, timm leaves the last layer at random.
        network = timm.create_model(arch, pretrained=True, num_classes=num_classes)
    return _split(arch, network, window)


def _split(arch: str, network: Any, window: int | None) -> SlidingClassifier:
    """Splits a network into encoder and head.

    Raises:
        ConfigError: if it has no feature map, its head does not average, or the window does not fit.
    """
    window = network.pretrained_cfg["input_size"][-1] if window is None else window
    info = getattr(network, "feature_info", None)
    stride = info[-1]["reduction"] if info else 1
    cells = max(1, window // stride)
    network.eval()
    features, of_features = _attempt(
        network, network.forward_features, torch.zeros(1, 3, cells * stride, (cells + 1) * stride)
    )
    if features is None or features.shape[2:] != (cells, cells + 1):
        raise ConfigError(f"backbone {arch} has no feature map that grows evenly with the picture; {CHOICES}")
    if not _averages(network, features.shape[1]):
        raise ConfigError(f"the head of backbone {arch} does more with the feature map than average it; {CHOICES}")
    check_window(arch, window, stride)
    _, of_head = _attempt(network, network.forward_head, features)
    if of_features & of_head or list(network.parameters(recurse=False)):
        raise ConfigError(f"backbone {arch} has parts that belong to its features and to its head; {CHOICES}")
    head = _copy_without(network, {name for name, _ in network.named_children()} - of_head)
    _remove(network, of_head)
    return SlidingClassifier(TimmEncoder(network), TimmHead(head, cells), stride).train()


def _attempt(
    network: nn.Module, call: Callable[..., Tensor], given: Tensor, **options: bool
) -> tuple[Tensor | None, set[str]]:
    """The result of a method of the network, None if it fails; and the children that it calls."""
    called: set[str] = set()
    names = {module: name.partition(".")[0] for name, module in network.named_modules() if name}
    hooks = [module.register_forward_pre_hook(lambda module, _: called.add(names[module])) for module in names]
    try:
        with torch.no_grad():
            return call(given, **options), called
    # timm refuses by errors of all kinds.
    except Exception:
        return None, called
    finally:
        for hook in hooks:
            hook.remove()


def _averages(network: Any, channels: int) -> bool:
    """Whether the head gives the same for any window as for its mean, up to the last layer, which may start at zero."""
    window = torch.rand(2, channels, 7, 7, generator=torch.Generator().manual_seed(0))
    whole, _ = _attempt(network, network.forward_head, window, pre_logits=True)
    mean, _ = _attempt(network, network.forward_head, window.mean((2, 3), keepdim=True), pre_logits=True)
    if whole is None or mean is None or whole.shape != mean.shape:
        return False
    return torch.allclose(whole, mean, rtol=1e-3, atol=1e-4)


def _remove(network: nn.Module, names: set[str]) -> None:
    for name in names:
        setattr(network, name, nn.Identity())


def _copy_without(network: nn.Module, names: set[str]) -> nn.Module:
    """A copy without these children, which are never copied."""
    children = {name: network.get_submodule(name) for name in names}
    _remove(network, names)
    copy = deepcopy(network)
    for name, child in children.items():
        setattr(network, name, child)
    return copy
