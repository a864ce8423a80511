from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2

from lightning_seg.errors import ModelError
from lightning_seg.models.mobilenetv2_unet import MobileNetV2Encoder, MobileNetV2UNet

# torchvision's features[0] is the stem, so block n is features[n + 1]; conv.0 of a block is the expansion with its
# ReLU6, conv.2 the projection.
TAPS = ["features.2.conv.0", "features.4.conv.0", "features.7.conv.0", "features.14.conv.0", "features.17.conv.2"]


@pytest.fixture(scope="module")
def model() -> MobileNetV2UNet:
    torch.manual_seed(0)
    return MobileNetV2UNet().eval()


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    """torchvision's network with statistics and affine weights that make every BatchNorm count."""
    torch.manual_seed(1)
    network: nn.Module = mobilenet_v2(weights=None)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name, values in module.state_dict().items():
                if name != "num_batches_tracked":
                    nn.init.uniform_(values, 0.5, 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def encoder(reference: nn.Module) -> MobileNetV2Encoder:
    """The encoder with the weights of the reference."""
    encoder = MobileNetV2Encoder()
    weights = reference.state_dict()
    encoder.load_state_dict({name: weights[name] for name in encoder.state_dict()})
    return encoder.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(2))


def outputs(network: nn.Module, names: list[str], images: Tensor) -> list[Tensor]:
    """What the parts of the network with these names return."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda module, inputs, output: found.update({name: output.clone()})

    hooks = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    network(images)
    for hook in hooks:
        hook.remove()
    return [found[name] for name in names]


def test_parameter_counts_are_the_published_ones(model: MobileNetV2UNet) -> None:
    counts = {name: parameter.numel() for name, parameter in model.named_parameters()}
    statistics = [values.numel() for name, values in model.named_buffers() if "running" in name]

    assert sum(counts.values()) == 6_471_395
    assert sum(count for name, count in counts.items() if not name.startswith("encoder.")) == 4_660_323
    assert sum(statistics) == 32_832


@torch.no_grad()
def test_taps_are_those_of_torchvisions_network(
    encoder: MobileNetV2Encoder, reference: nn.Module, images: Tensor
) -> None:
    maps = encoder(images)

    assert [tuple(feature_map.shape[1:]) for feature_map in maps] == [
        (96, 32, 48),
        (144, 16, 24),
        (192, 8, 12),
        (576, 4, 6),
        (320, 2, 3),
    ]
    for feature_map, expected in zip(maps, outputs(reference, TAPS, images), strict=True):
        torch.testing.assert_close(feature_map, expected)
    assert encoder.out_channels == (96, 144, 192, 576, 320)


@torch.no_grad()
def test_last_tap_lies_before_its_batch_norm(encoder: MobileNetV2Encoder, reference: nn.Module, images: Tensor) -> None:
    (behind,) = outputs(reference, ["features.17"], images)
    batch_norm = reference.get_submodule("features.17.conv.3")

    last = encoder(images)[-1]

    assert isinstance(batch_norm, nn.BatchNorm2d)
    torch.testing.assert_close(batch_norm(last), behind)
    assert (last - behind).abs().mean() > 0.1


@pytest.mark.parametrize("size", [(128, 128), (64, 96)])
@torch.no_grad()
def test_logits_have_the_size_of_the_picture(model: MobileNetV2UNet, size: tuple[int, int]) -> None:
    assert model(torch.zeros(1, 3, *size)).shape == (1, 3, *size)


@torch.no_grad()
def test_num_classes_is_the_number_of_logits() -> None:
    assert MobileNetV2UNet(num_classes=5)(torch.zeros(2, 3, 32, 32)).shape == (2, 5, 32, 32)


@pytest.mark.parametrize("size", [(100, 128), (128, 100)])
def test_sides_must_be_multiples_of_32(model: MobileNetV2UNet, size: tuple[int, int]) -> None:
    with pytest.raises(ModelError, match=rf"^pictures of {size[0]}x{size[1]} pixels .* multiples of 32$"):
        model(torch.zeros(1, 3, *size))


def test_decoder_starts_with_the_deviation_of_pix2pix(model: MobileNetV2UNet) -> None:
    kernels = [block.get_parameter("0.weight") for block in model.decoder]

    assert [tuple(kernel.shape) for kernel in kernels] == [
        (320, 512, 3, 3),
        (512 + 576, 256, 3, 3),
        (256 + 192, 128, 3, 3),
        (128 + 144, 64, 3, 3),
    ]
    for kernel in kernels:
        assert kernel.std().item() == pytest.approx(0.02, rel=0.02)
        assert kernel.mean().item() == pytest.approx(0, abs=0.0005)


@torch.no_grad()
def test_untrained_logits_are_small() -> None:
    torch.manual_seed(3)
    logits = MobileNetV2UNet()(torch.randn(2, 3, 64, 64))

    # torch's own initialisation of a transposed convolution gives 1.4.
    assert 0 < logits.std() < 1
