"""Pretrained encoders of smp and timm: their names, downloads, and normalization."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
from torch import nn

from lightning_seg.errors import ConfigError, WeightsError, one_line
from lightning_seg.models.hub import Source, fetching, hub_source, pretrained_variants, timm_source
from lightning_seg.models.normalization import Normalization, named_normalization
from lightning_seg.models.smp import create_network, create_random, timm_name
from lightning_seg.models.weights import pretrained_wanted, read_state_dict

log = logging.getLogger(__name__)
ARGUMENT = "encoder_weights"


def create_pretrained(
    arch: str, encoder_name: str, encoder_weights: str | None, num_classes: int, options: Mapping[str, Any]
) -> nn.Module:
    """A network of smp, its encoder with published weights, those of a file, or random ones.

    Args:
        arch: a key of ``ARCHITECTURES``.
        encoder_name: an encoder of smp, or ``tu-`` and a name of timm.
        encoder_weights: one of ``published_weights``, a file with the encoder's state dict, or None.
        num_classes: channels of the logits.
        options: further arguments of the architecture.

    Raises:
        ConfigError: if smp cannot build the network.
        WeightsError: if there are no such weights, or they do not fit the encoder.
        DownloadError: if published weights cannot be fetched.
    """
    # Mistakes in the other arguments show before anything is fetched.
    network = create_random(arch, encoder_name, num_classes, options)
    if encoder_weights is None or not pretrained_wanted():
        return network
    if encoder_weights not in published_weights(encoder_name):
        _fill(network.get_submodule("encoder"), _weights_file(encoder_name, encoder_weights))
        return network
    with fetching(_source(encoder_name, encoder_weights), f"{encoder_name} with the arch_options", ARGUMENT):
        # timm knows which weights by the name of the encoder, and smp warns of any other value.
        pretrained = encoder_weights if timm_name(encoder_name) is None else True
        return create_network(arch, encoder_name, num_classes, options, pretrained)


def published_weights(encoder_name: str) -> list[str]:
    """Possible names of ``encoder_weights``; timm's variants are part of the encoder's name instead."""
    name = timm_name(encoder_name)
    if name is None:
        return list(smp.encoders.encoders[encoder_name]["pretrained_settings"])
    return ["imagenet"] if timm.models.is_model_pretrained(name) else []


def pretrained_normalization(encoder_name: str, encoder_weights: str | None) -> Normalization:
    """The normalization that pretrained weights expect; ``imagenet`` without weights, or if it is not published.

    Raises:
        ConfigError: if they do not expect RGB pictures.
        DownloadError: if smp's settings cannot be fetched.
    """
    if encoder_weights is None or not pretrained_wanted():
        return "imagenet"
    name, what = timm_name(encoder_name), f"{encoder_name} with {encoder_weights}"
    if name is not None and timm.models.is_model_pretrained(name):
        # timm's settings are part of it.
        return normalization_of(smp.encoders.get_preprocessing_params(f"tu-{name}"), what)
    if encoder_weights not in published_weights(encoder_name):
        log.warning("%s does not say which normalization it expects: imagenet is taken", encoder_weights)
        return "imagenet"
    with fetching(_source(encoder_name, encoder_weights), encoder_name, ARGUMENT):
        settings = smp.encoders.get_preprocessing_params(encoder_name, encoder_weights)
    return normalization_of(settings, what)


def normalization_of(settings: Mapping[str, Any], what: str) -> Normalization:
    """smp's preprocessing on the scale of [0, 1]: ``imagenet``, or mean and deviation."""
    if settings["input_space"] != "RGB":
        raise ConfigError(
            f"encoder_weights: {what} expects {settings['input_space']} pictures, but they are RGB here; choose others"
        )
    # smp divides the values of pictures by 255, or leaves them as they are.
    scale = 1 if settings["input_range"][1] == 1 else 255
    mean, std = ([value / scale for value in settings[key]] for key in ("mean", "std"))
    return named_normalization(mean, std)


def _weights_file(encoder_name: str, encoder_weights: str) -> Path:
    path = Path(encoder_weights)
    if path.is_file() or path.suffix or os.sep in encoder_weights:
        return path
    choices = ", ".join(published_weights(encoder_name)) or "none that are published"
    raise WeightsError(
        f"encoder_weights {encoder_weights!r} does not exist; {encoder_name} has {choices}{_variants(encoder_name)}; "
        "give one of them, a file or null"
    )


def _variants(encoder_name: str) -> str:
    name = timm_name(encoder_name)
    if name is None:
        return ""
    tagged = pretrained_variants(name)
    return f" (variants are named as encoders: {', '.join(f'tu-{variant}' for variant in tagged)})" if tagged else ""


def _fill(encoder: nn.Module, path: Path) -> None:
    state = dict(read_state_dict(path))
    try:
        # smp's own leaves the classifier aside and is strict otherwise.
        encoder.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: these are weights of another network than {type(encoder).__name__}: {one_line(error)[:300]}; "
            "give a file with this encoder's state dict, or null for random weights"
        ) from error


def _source(encoder_name: str, encoder_weights: str) -> Source:
    name = timm_name(encoder_name)
    if name is not None:
        return timm_source(name)
    settings = smp.encoders.encoders[encoder_name]["pretrained_settings"][encoder_weights]
    return hub_source(settings["repo_id"], settings["revision"])
