from math import sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lightning_seg.errors import ModelError
from lightning_seg.models.cnn_classifier import CNNClassifier


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def random_images(*size: int) -> Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))


def test_parameters_are_those_of_the_tutorial() -> None:
    assert count(CNNClassifier()) == 3_989_285


def test_parameters_of_another_size() -> None:
    # 100 x 61 is halved three times to 12 x 7.
    convolutions = (27 + 1) * 4 + (36 + 1) * 8 + (72 + 1) * 8
    network = CNNClassifier(3, (100, 61), channels=(4, 8, 8), hidden=10)
    assert count(network) == convolutions + (8 * 12 * 7 + 1) * 10 + (10 + 1) * 3
    assert network(random_images(100, 61)).shape == (2, 3)


def test_logits_are_those_of_the_same_layers_written_out() -> None:
    network = CNNClassifier(4, 20).eval()
    weights = list(network.state_dict().values())
    images = random_images(20, 20)

    maps = images
    for weight, bias in (weights[0:2], weights[2:4], weights[4:6]):
        maps = F.max_pool2d(F.conv2d(maps, weight, bias, padding=1).clamp(min=0), 2)
    hidden = (maps.flatten(1) @ weights[6].T + weights[7]).clamp(min=0)

    torch.testing.assert_close(network(images), hidden @ weights[8].T + weights[9])


def test_logits_and_gradients_are_exactly_those_of_pooling_what_is_cut_off_at_zero() -> None:
    network = CNNClassifier(4, 21).to(memory_format=torch.channels_last)
    weights = [weight.detach().clone().requires_grad_() for weight in network.parameters()]
    # Equal neighbours, and windows with nothing above zero.
    images = (random_images(21, 21) * 3).round().to(memory_format=torch.channels_last)
    images[:, :, :10, :10] = -5

    maps = images
    for weight, bias in (weights[0:2], weights[2:4], weights[4:6]):
        maps = F.max_pool2d(F.relu(F.conv2d(maps, weight, bias, padding=1)), 2)
    hidden = F.relu(F.linear(maps.flatten(1), weights[6], weights[7]))
    expected = F.linear(hidden, weights[8], weights[9])
    gradients = torch.autograd.grad(expected.square().sum(), weights)

    logits = network(images)
    assert torch.equal(logits, expected)
    found = torch.autograd.grad(logits.square().sum(), list(network.parameters()))
    assert [torch.equal(*pair) for pair in zip(found, gradients, strict=True)] == [True] * 10


def test_weights_start_as_in_keras() -> None:
    torch.manual_seed(0)
    for name, values in CNNClassifier(image_size=64).named_parameters():
        if name.endswith("bias"):
            assert not values.any()
            continue
        field = values[0, 0].numel() if values.ndim == 4 else 1
        limit = sqrt(6 / (field * (values.shape[0] + values.shape[1])))
        assert 0.98 * limit < values.abs().max() <= limit
        assert values.std().item() == pytest.approx(limit / sqrt(3), rel=0.1)


def test_dropout_acts_on_the_features_in_training_alone() -> None:
    network = CNNClassifier(image_size=64, dropout=0.25)
    seen: list[Tensor] = []
    network.head.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    images = random_images(64, 64)
    with torch.no_grad():
        network.train()(images)
        network.eval()(images)
    dropped, whole = seen
    kept = (dropped != 0)[whole > 0]
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.05)
    torch.testing.assert_close(dropped[dropped != 0], whole[dropped != 0] / 0.75)


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ModelError, match=r"pictures of 32 x 40 pixels do not fit .*, which is for 24 x 30; resize"):
        CNNClassifier(image_size=(24, 30))(random_images(32, 40))


def test_impossible_arguments() -> None:
    with pytest.raises(ModelError, match="image_size 7 x 30 is too small; both sides must be 8 or more"):
        CNNClassifier(image_size=(7, 30))
    with pytest.raises(ModelError, match=r"dropout 1.0 must be at least 0 and below 1"):
        CNNClassifier(dropout=1.0)
