"""Classifiers of timm by name, with published weights, those of a file, or random ones."""

import os
from pathlib import Path

import timm
from torch import Tensor, nn

from lightning_seg.errors import ConfigError, ModelError, WeightsError, one_line, unknown_name
from lightning_seg.models.hub import check_variant, fetching, pretrained_variants, timm_source
from lightning_seg.models.normalization import Normalization, named_normalization
from lightning_seg.models.weights import fill, pretrained_wanted, read_state_dict


class TimmClassifier(nn.Module):
    """Images ``(B, 3, H, W)``, already normalised, to logits ``(B, num_classes)``.

    ``encoder`` is the network without its own classifier, ``head`` a linear layer on its features.

    Args:
        encoder: a network of timm without classifier.
        num_classes: number of logits.
        drop_rate: share of the features that is dropped in training.

    Raises:
        ModelError: if ``drop_rate`` is not in [0, 1), or there are no classes.
    """

    def __init__(self, encoder: nn.Module, num_classes: int, drop_rate: float = 0.0) -> None:
        super().__init__()
        if not 0 <= drop_rate < 1:
            raise ModelError(f"drop_rate {drop_rate} must be at least 0 and below 1, for instance 0.2")
        if num_classes < 1:
            raise ModelError(f"num_classes {num_classes} is too small; give 1 or more")
        self.encoder = encoder
        # Not timm's own, which a frozen encoder in eval mode would switch off.
        self.dropout = nn.Dropout(drop_rate)
        self.head = nn.Linear(int(encoder.head_hidden_size), num_classes)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.encoder(images)))
        return logits

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of the only pictures that the encoder takes, None if it takes others."""
        config = self.encoder.pretrained_cfg
        assert isinstance(config, dict)
        return tuple(config["input_size"][1:]) if config.get("fixed_input_size") else None


def create_encoder(arch: str, weights: str | None) -> nn.Module:
    """A network of timm without its classifier.

    Args:
        arch: its name, with or without the tag of its weights: ``resnet50``, ``resnet50.a1_in1k``.
        weights: ``imagenet`` for those that timm has, a file in timm's layout with or without its classifier, or None.

    Raises:
        ConfigError: if there is no such network, or timm cannot build it.
        WeightsError: if there are no such weights, or they are of another network.
        DownloadError: if the published ones cannot be fetched.
    """
    # Mistakes show before anything is fetched.
    encoder = _random_encoder(arch)
    if weights is None or not pretrained_wanted():
        return encoder
    if weights == "imagenet" and timm.models.is_model_pretrained(arch):
        with fetching(timm_source(arch), arch, "weights"):
            published: nn.Module = timm.create_model(arch, pretrained=True, num_classes=0)
            return published
    fill(encoder, read_state_dict(_weights_file(arch, weights)), weights, "timm")
    return encoder


def expected_normalization(arch: str, weights: str | None) -> Normalization:
    """timm's normalization for the weights of this network; ``imagenet`` for random ones."""
    config = timm.models.get_pretrained_cfg(arch)
    if weights is None or config is None:
        return "imagenet"
    return named_normalization(config.mean, config.std)


def _random_encoder(arch: str) -> nn.Module:
    if not timm.is_model(arch):
        raise unknown_name("arch", arch, timm.list_models())
    check_variant("arch", arch)
    try:
        encoder: nn.Module = timm.create_model(arch, num_classes=0)
    # timm refuses by errors of all kinds.
    except Exception as error:
        raise ConfigError(f"timm cannot build {arch} as a classifier: {one_line(error)}; give another arch") from error
    return encoder


def _weights_file(arch: str, weights: str) -> Path:
    path = Path(weights)
    if path.is_file() or path.suffix or os.sep in weights:
        return path
    variants = pretrained_variants(arch)
    if not variants:
        raise WeightsError(f"weights {weights!r} does not exist; none of {arch} are published; give a file or null")
    raise WeightsError(
        f"weights {weights!r} does not exist; give imagenet, a file or null (variants are named as arch: "
        f"{', '.join(variants)})"
    )
