from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lightning_seg.errors import ConfigError, ModelError, WeightsError
from lightning_seg.models.timm_classifier import TimmClassifier, create_encoder, expected_normalization
from lightning_seg.models.weights import without_pretrained


def random_images(side: int) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_parameters_of_resnet50_for_120_classes() -> None:
    network = TimmClassifier(create_encoder("resnet50", None), 120)
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_753_912


# mobilenetv3 widens its features behind the pooling, vgg has two hidden layers, a vision transformer a token.
@pytest.mark.parametrize("arch", ["resnet18", "mobilenetv3_small_050", "vgg11", "vit_tiny_patch16_224"])
def test_logits_are_those_of_timm_itself(arch: str) -> None:
    torch.manual_seed(0)
    reference = timm.create_model(arch, num_classes=7).eval()
    network = TimmClassifier(create_encoder(arch, None), 7).eval()
    state = reference.state_dict()
    network.encoder.load_state_dict({name: state[name] for name in network.encoder.state_dict()})
    network.head.load_state_dict(reference.get_classifier().state_dict())

    with torch.no_grad():
        images = random_images(224)
        torch.testing.assert_close(network(images), reference(images), rtol=1e-4, atol=1e-5)


def test_dropout_acts_on_the_features_also_of_a_frozen_encoder() -> None:
    network = TimmClassifier(create_encoder("resnet18", None), 3, drop_rate=0.25).train()
    network.encoder.eval()
    seen: list[Tensor] = []
    network.head.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        network(random_images(64))
        network.eval()(random_images(64))
    dropped, whole = seen
    assert (dropped != 0)[whole > 0].float().mean().item() == pytest.approx(0.75, abs=0.05)
    torch.testing.assert_close(dropped[dropped != 0], whole[dropped != 0] / 0.75)
    with pytest.raises(ModelError, match=r"drop_rate 1.0 must be at least 0 and below 1"):
        TimmClassifier(nn.Identity(), 3, 1.0)


def test_size_of_a_vision_transformer_is_fixed() -> None:
    assert TimmClassifier(create_encoder("vit_tiny_patch16_224", None), 3).fixed_size == (224, 224)
    assert TimmClassifier(create_encoder("resnet18", None), 3).fixed_size is None


@pytest.mark.parametrize("num_classes", [1000, 0])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_fills_the_encoder_with_or_without_its_classifier(suffix: str, num_classes: int, tmp_path: Path) -> None:
    torch.manual_seed(3)
    state = timm.create_model("resnet18", num_classes=num_classes).state_dict()
    path = tmp_path / f"resnet18.{suffix}"
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)

    filled = create_encoder("resnet18", str(path)).state_dict()

    assert not [name for name in filled if name.startswith("fc")]
    assert all(torch.equal(values, state[name]) for name, values in filled.items())


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save(timm.create_model("resnet18").state_dict(), path)
    with pytest.raises(WeightsError, match=r"resnet18.pth: these are weights of another network than ResNet: .*timm's"):
        create_encoder("resnet26", str(path))
    with pytest.raises(WeightsError, match="no such weights file"):
        create_encoder("resnet18", str(tmp_path / "none.pth"))


def test_no_file_is_read_where_a_checkpoint_follows(tmp_path: Path) -> None:
    with without_pretrained():
        assert create_encoder("resnet18", str(tmp_path / "none.pth"))


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("resnt50", "arch 'resnt50' does not exist; the nearest names are resnet50, "),
        ("resnet50.a9_in1k", "arch 'resnet50.a9_in1k' does not exist; the nearest names are resnet50."),
    ],
)
def test_unknown_networks_are_told_with_the_nearest(arch: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        create_encoder(arch, None)


def test_unknown_weights_are_told_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"'a1_in1k' does not exist; give imagenet, .* as arch: resnet18.a1_in1k"):
        create_encoder("resnet18", "a1_in1k")
    with pytest.raises(
        WeightsError, match="'imagenet' does not exist; none of ghostnet_050 are published; give a file"
    ):
        create_encoder("ghostnet_050", "imagenet")


def test_normalization_is_what_timm_says() -> None:
    assert expected_normalization("resnet50", "imagenet") == "imagenet"
    assert expected_normalization("vit_tiny_patch16_224", None) == "imagenet"
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    assert expected_normalization("vit_tiny_patch16_224", "imagenet") == half
    assert expected_normalization("vit_tiny_patch16_224", "weights.pth") == half
