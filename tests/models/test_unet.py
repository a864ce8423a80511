import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lightning_seg.errors import ModelError
from lightning_seg.models.unet import UNet


def test_counts_are_those_of_the_tutorial() -> None:
    network = UNet()
    assert sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) == 31_110_497
    statistics = [buffer for name, buffer in network.named_buffers() if "running" in name]
    assert sum(map(torch.numel, statistics)) == 16_000


@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_logits_have_the_size_of_the_picture(num_classes: int, size: tuple[int, int]) -> None:
    assert UNet(num_classes, width=2)(torch.zeros(2, 3, *size)).shape == (2, num_classes, *size)


def by_the_description(state: dict[str, Tensor], images: Tensor, depth: int, mode: str) -> Tensor:
    """The network as the specification words it, from its weights alone and in evaluation mode."""

    def conv(maps: Tensor, name: str) -> Tensor:
        padded = F.pad(maps, (1, 1, 1, 1), mode="reflect") if mode == "reflect" else F.pad(maps, (1, 1, 1, 1))
        return F.conv2d(padded, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm_relu(maps: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            state[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((maps - mean) / (var + 1e-5).sqrt() * weight + bias).clamp(min=0)

    def twice(maps: Tensor, name: str) -> Tensor:
        return norm_relu(conv(norm_relu(conv(maps, f"{name}.0"), f"{name}.1"), f"{name}.3"), f"{name}.4")

    skips, maps = [], images
    for level in range(depth):
        skips.append(twice(maps, f"encoder.blocks.{level}"))
        maps = F.max_pool2d(skips[-1], 2)
    maps = twice(maps, "centre")
    for level, skip in enumerate(reversed(skips)):
        name = f"decoder.{level}"
        up = F.conv_transpose2d(maps, state[f"{name}.up.weight"], state[f"{name}.up.bias"], stride=2)
        maps = twice(norm_relu(torch.cat([skip, up], 1), f"{name}.join.0"), f"{name}.block")
    return F.conv2d(maps, state["head.weight"], state["head.bias"])


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect"])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_network_is_the_one_that_was_specified(depth: int, padding_mode: str) -> None:
    torch.manual_seed(0)
    network = UNet(2, width=3, depth=depth, padding_mode=padding_mode)  # type: ignore[arg-type]
    images = torch.randn(2, 3, 32, 48)
    network.train()(images)  # statistics that are not 0 and 1
    network.eval()
    with torch.no_grad():
        expected = by_the_description(network.state_dict(), images, depth, padding_mode)
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_skip_is_used(level: int) -> None:
    torch.manual_seed(0)
    network = UNet(width=2, depth=3).eval()
    images = torch.randn(1, 3, 16, 16)
    before = network(images)
    # Of the decoder's inputs, so that the maps below this level stay as they are.
    block = network.decoder[2 - level]
    block.register_forward_pre_hook(lambda module, inputs: (inputs[0], torch.zeros_like(inputs[1])))
    assert not torch.allclose(network(images), before)


def test_a_constant_picture_stays_constant_if_its_border_is_mirrored() -> None:
    torch.manual_seed(0)
    images = torch.full((1, 3, 32, 32), 0.7)
    # A transposed convolution has four phases, so a constant map becomes one of period two, and so on.
    mirrored, zeros = (UNet(width=3, depth=1, padding_mode=mode).eval().encoder for mode in ("reflect", "zeros"))
    assert mirrored(images)[0].std(dim=(2, 3)).max() < 1e-6
    assert zeros(images)[0].std(dim=(2, 3)).max() > 1e-3


def test_weights_start_as_glorot_draws_them_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    network = UNet(8, width=16, depth=2)
    # sqrt(6 / (inputs + outputs)), each channel times the pixels of the kernel.
    bounds = {
        "encoder.blocks.1.0": (6 / (9 * (16 + 32))) ** 0.5,
        "centre.3": (6 / (9 * (64 + 64))) ** 0.5,
        "decoder.0.up": (6 / (4 * (64 + 32))) ** 0.5,
        "head": (6 / (16 + 8)) ** 0.5,
    }
    for name, bound in bounds.items():
        weight = network.get_parameter(f"{name}.weight")
        assert weight.abs().max() <= bound
        assert weight.abs().max().item() == pytest.approx(bound, rel=0.05)
        assert not network.get_parameter(f"{name}.bias").any()


@torch.no_grad()
def test_first_logits_are_of_the_size_that_a_sigmoid_can_tell_apart() -> None:
    torch.manual_seed(0)
    logits = UNet(width=16)(torch.rand(2, 3, 64, 64))
    assert 0.1 < logits.std() < 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width 0 is too small"),
        ({"depth": 0}, "depth 0 is too small"),
        ({"num_classes": 0}, "num_classes 0 is too small"),
        ({"padding_mode": "mirror"}, "padding_mode 'mirror' does not exist; choose zeros, reflect"),
    ],
)
def test_impossible_networks(options: dict[str, int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        UNet(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(40, 64), (64, 40)])
def test_sides_must_be_multiples_of_the_reduction(size: tuple[int, int]) -> None:
    message = rf"^pictures of {size[0]}x{size[1]} pixels do not fit UNet: both sides must be multiples of 32$"
    with pytest.raises(ModelError, match=message):
        UNet(width=2)(torch.zeros(1, 3, *size))


@pytest.mark.parametrize("size", [(32, 64), (64, 32)])
def test_a_border_can_only_be_mirrored_where_the_coarsest_map_has_two_pixels(size: tuple[int, int]) -> None:
    network = UNet(width=2, padding_mode="reflect")
    with pytest.raises(ModelError, match="both sides must be 64 or more; use larger ones, or padding_mode zeros"):
        network(torch.zeros(1, 3, *size))
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
