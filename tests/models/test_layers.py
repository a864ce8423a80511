"""Which layer of an encoder has which depth, by the names of its weights."""

from typing import Any

import pytest
import timm
from torch import nn

from lightning_seg.models.cnn_classifier import CNNClassifier
from lightning_seg.models.layers import depths
from lightning_seg.models.mobilenetv2_unet import MobileNetV2UNet
from lightning_seg.models.sliding.backbones import create_sliding
from lightning_seg.models.smp import create_network
from lightning_seg.models.timm_classifier import TimmClassifier
from lightning_seg.models.unet import UNet
from lightning_seg.tasks.optimization import parameter_groups


def timm_classifier(arch: str) -> nn.Module:
    return TimmClassifier(timm.create_model(arch, num_classes=0), 3)


NETWORKS: dict[str, tuple[Any, dict[str, int]]] = {
    # 18 parts of MobileNetV2, of which the stem is the first.
    "MobileNetV2UNet": (
        MobileNetV2UNet,
        {"encoder.features.0.0.weight": 18, "encoder.features.17.conv.0.0.weight": 1, "decoder.0.0.weight": 0},
    ),
    "UNet": (
        lambda: UNet(1, width=4, depth=3),
        {"encoder.blocks.0.0.weight": 3, "encoder.blocks.2.4.bias": 1, "centre.0.weight": 0, "head.weight": 0},
    ),
    "CNNClassifier": (
        lambda: CNNClassifier(5, 32),
        {"encoder.0.weight": 3, "encoder.3.bias": 2, "encoder.6.weight": 1, "head.0.weight": 0},
    ),
    # A stem with its norm, and four stages.
    "resnet of timm": (
        lambda: timm_classifier("resnet10t"),
        {"encoder.conv1.0.weight": 5, "encoder.layer1.0.bn1.weight": 4, "encoder.layer4.0.conv1.weight": 1},
    ),
    # Patches and positions, then twelve blocks, the norm of the last one with it.
    "transformer of timm": (
        lambda: timm_classifier("vit_tiny_patch16_224"),
        {"encoder.pos_embed": 13, "encoder.blocks.0.attn.qkv.weight": 12, "encoder.blocks.11.mlp.fc2.bias": 1},
    ),
    "vgg that slides": (
        lambda: create_sliding("vgg16", None, 3),
        {"encoder.0.weight": 13, "encoder.2.bias": 12, "encoder.28.weight": 1, "head.classifier.0.weight": 0},
    ),
    "resnet of smp": (
        lambda: create_network("unet", "resnet18", 2, {}),
        {"encoder.conv1.weight": 5, "encoder.bn1.weight": 5, "encoder.layer4.1.conv2.weight": 1, "decoder": 0},
    ),
    "resnet of timm in smp": (
        lambda: create_network("unet", "tu-resnet18", 2, {}),
        {"encoder.model.bn1.bias": 5, "encoder.model.layer1.0.conv1.weight": 4, "segmentation_head": 0},
    ),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_depths_by_hand(kind: str) -> None:
    build, by_hand = NETWORKS[kind]
    network = build()
    found = depths(network)
    assert found.keys() == {name for name, _ in network.named_parameters()}
    for name, depth in by_hand.items():
        assert {value for key, value in found.items() if key.startswith(name)} == {depth}, name
    encoder = {depth for name, depth in found.items() if name.startswith("encoder.")}
    # No depth is left out.
    assert encoder == set(range(1, max(encoder) + 1))


class Told(nn.Module):
    """Says what its layers are: the second one is run first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.scale = nn.Parameter(nn.init.ones_(self.first.bias.clone()))

    def layers_in_order(self) -> list[nn.Module]:
        return [self.second, self.first]


def test_an_encoder_may_tell_its_layers() -> None:
    network = nn.ModuleDict({"encoder": Told(), "head": nn.Linear(2, 1)})
    assert depths(network) == {
        "encoder.scale": 2,
        **{f"encoder.second.{place}.{kind}": 2 for place in (0, 1) for kind in ("weight", "bias")},
        "encoder.first.weight": 1,
        "encoder.first.bias": 1,
        "head.weight": 0,
        "head.bias": 0,
    }


def test_a_network_without_an_encoder_has_one_depth() -> None:
    assert depths(nn.Linear(2, 1)) == {"weight": 0, "bias": 0}


def test_rates_by_hand_with_names() -> None:
    network = CNNClassifier(5, 32)
    groups = parameter_groups(network, lr=0.1, weight_decay=0.01, encoder_lr_factor=0.5, layer_decay=0.8)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {names[id(one)]: (group["lr"], group["weight_decay"]) for group in groups for one in group["params"]}
    rates = {
        "encoder.0": 0.05 * 0.8**3,
        "encoder.3": 0.05 * 0.8**2,
        "encoder.6": 0.05 * 0.8,
        "head.0": 0.1,
        "head.2": 0.1,
    }
    assert found.keys() == {f"{layer}.{kind}" for layer in rates for kind in ("weight", "bias")}
    for layer, rate in rates.items():
        assert found[f"{layer}.weight"] == pytest.approx((rate, 0.01))
        assert found[f"{layer}.bias"] == pytest.approx((rate, 0.0))
