"""Networks of segmentation-models-pytorch (smp) by name; errors of smp and timm become one line."""

from collections.abc import Mapping
from inspect import signature
from math import lcm
from typing import Any

import segmentation_models_pytorch as smp
import timm
from segmentation_models_pytorch.encoders import TimmUniversalEncoder, TimmViTEncoder, is_equivalent_to_timm_universal
from torch import nn

from lightning_seg.errors import ConfigError, one_line, unknown_name
from lightning_seg.models.hub import check_variant

ARCHITECTURES: Mapping[str, Any] = smp.MODEL_ARCHITECTURES_MAPPING
_WEIGHTS = "weights are chosen by encoder_weights"
RESERVED = {
    "encoder_name": "it is an argument of its own",
    "encoder_weights": "it is an argument of its own",
    "classes": "set num_classes",
    "in_channels": "pictures are RGB",
    "activation": "the network has to return logits",
    "aux_params": "there is no classification head",
    **dict.fromkeys(("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path"), _WEIGHTS),
}
"""Options of smp and timm that a user may not set, with the reason."""


def architecture(name: str) -> str:
    """smp's name of an architecture: ``unetplusplus`` from ``UnetPlusPlus``.

    Raises:
        ConfigError: if there is none, naming the nearest.
    """
    if name.lower() not in ARCHITECTURES:
        raise unknown_name("arch", name.lower(), list(ARCHITECTURES))
    return name.lower()


def timm_name(encoder_name: str) -> str | None:
    """timm's name of the encoder, None for one of smp; smp passes some of its old ``timm-`` names to timm."""
    if is_equivalent_to_timm_universal(encoder_name):
        encoder_name = encoder_name.replace("timm-", "tu-tf_" if "mobilenetv3" in encoder_name else "tu-")
    return encoder_name.removeprefix("tu-") if encoder_name.startswith("tu-") else None


def check_encoder(encoder_name: str) -> None:
    """Raises ConfigError if neither smp nor timm has an encoder, or pretrained variant, of this name."""
    name, own = timm_name(encoder_name), smp.encoders.get_encoder_names()
    if encoder_name in own:
        return
    if name is None or not timm.is_model(name):
        raise unknown_name("encoder_name", encoder_name, [*own, *(f"tu-{model}" for model in timm.list_models())])
    check_variant("encoder_name", name, "tu-")


def check_options(arch: str, encoder_name: str, options: Mapping[str, Any]) -> None:
    """Raises ConfigError for options that are reserved or unknown."""
    # smp passes names that it does not know on to the encoder.
    accepted = signature(ARCHITECTURES[arch].__init__).parameters.keys() - RESERVED.keys() - {"self", "kwargs"}
    for name, value in options.items():
        if name in RESERVED:
            raise ConfigError(f"arch_options {name}: {RESERVED[name]}; leave it out")
        # smp's own encoders drop what they do not know, timm's refuse it; but smp drops names that begin with an
        # underscore on the way, and timm drops None.
        read_by_timm = timm_name(encoder_name) is not None and not name.startswith("_") and value is not None
        if name not in accepted and not read_by_timm:
            raise unknown_name(f"{arch} with {encoder_name}: arch_options", name, sorted(accepted))


def create_network(
    arch: str, encoder_name: str, num_classes: int, options: Mapping[str, Any], pretrained: str | bool | None = None
) -> nn.Module:
    """``smp.create_model``: normalised pictures ``(B, 3, H, W)`` to logits ``(B, num_classes, H, W)``."""
    network: nn.Module = smp.create_model(arch, encoder_name, pretrained, classes=num_classes, **options)
    return network


def create_random(arch: str, encoder_name: str, num_classes: int, options: Mapping[str, Any]) -> nn.Module:
    """A network with random weights.

    Raises:
        ConfigError: if smp cannot build it.
    """
    check_encoder(encoder_name)
    check_options(arch, encoder_name, options)
    try:
        return create_network(arch, encoder_name, num_classes, options)
    # smp and timm refuse by errors of all kinds.
    except Exception as error:
        given = f" and {dict(options)}" if options else ""
        raise ConfigError(
            f"smp cannot build {arch} with {encoder_name}{given}: {one_line(error)}; {_remedy(arch)}"
        ) from error


def _remedy(arch: str) -> str:
    if arch == "dpt":
        return "give a vision transformer of timm, for instance tu-vit_small_patch16_224, or other arch_options"
    if "encoder_output_stride" in signature(ARCHITECTURES[arch].__init__).parameters:
        return "give an encoder that can be dilated, for instance resnet34 or mobilenet_v2, or other arch_options"
    return "give another arch, encoder_name or arch_options"


def picture_multiple(network: nn.Module) -> int:
    """Number that both sides of a picture must be multiples of."""
    encoder: Any = network.encoder
    if isinstance(encoder, TimmUniversalEncoder):
        # timm may run stages that the decoder does not read, and some of its networks add up their maps.
        return 32
    if isinstance(encoder, TimmViTEncoder):
        # DPT brings the maps to a 4th, an 8th, and so on of the picture, and doubles them back.
        return lcm(*encoder.output_strides, 2 ** (len(encoder.output_strides) + 1))
    return int(encoder.output_stride) if getattr(network, "requires_divisible_input_shape", True) else 1


def native_size(network: nn.Module, options: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width that a vision transformer was built for, None if it takes any."""
    given = options.get("img_size")
    if given is not None:
        return (given, given) if isinstance(given, int) else tuple(given)
    config = getattr(getattr(network.encoder, "model", None), "pretrained_cfg", None) or {}
    return tuple(config["input_size"][1:]) if config.get("fixed_input_size") else None
