"""Class activation maps of networks that are small enough for paper."""

import pytest
import torch
from torch import Tensor, nn

from lightning_seg.errors import ConfigError, ModelError
from lightning_seg.inference.activation import last_feature_map
from lightning_seg.models.timm_classifier import TimmClassifier, create_encoder
from lightning_seg.tasks.classification import ClassificationTask
from lightning_seg.tasks.cnn_classifier import CNNClassifierTask


class RedOrGreen(nn.Module):
    """Two channels, red and green; the logits are 4 (red - green) and 4 (green - red), by their means."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Conv2d(3, 2, 1, bias=False)
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.colours.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 1.0, 0]]).view(2, 3, 1, 1))
            self.head.weight.copy_(torch.tensor([[4.0, -4.0], [-4.0, 4.0]]))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.colours(images).mean((2, 3)))
        return logits


def make_task(network: nn.Module) -> ClassificationTask:
    return ClassificationTask(network, 2, class_names=["red", "green"], normalization="unit").eval()


def pictures() -> Tensor:
    """2 x 3 pixels: the first has red 1 in a corner and green 0.2 beside it, the second green alone."""
    images = torch.zeros(2, 3, 2, 3, dtype=torch.uint8)
    images[0, 0, 0, 0] = images[1, 1, 1, 1] = 255
    images[0, 1, 0, 1] = images[0, 0, 1, 2] = 51
    return images


# Each of the six cells adds 4/6 of its red to the logit of red and takes 4/6 of its green; so those are the weights of
# the two channels, and what green takes is cut off at 0. The other picture likewise.
ON_PAPER = [[[2 / 3, 0, 0], [0, 0, 2 / 15]], [[0, 0, 0], [0, 2 / 3, 0]]]


@pytest.mark.parametrize("tta", [None, "hflip", "d4"])
@pytest.mark.parametrize("is_frozen", [False, True])
def test_maps_of_a_batch_are_those_on_paper(tta: str | None, is_frozen: bool) -> None:
    task = make_task(RedOrGreen().requires_grad_(not is_frozen))
    # As Lightning and Predictor predict.
    with torch.inference_mode():
        said = task.predict_pictures(pictures(), [(2, 3)] * 2, task.make_inference({"cam": True, "tta": tta}))
    assert [one.label for one in said] == [0, 1]
    for one, expected in zip(said, ON_PAPER, strict=True):
        assert one.cam is not None
        torch.testing.assert_close(one.cam, torch.tensor(expected))
    plain = task.predict_pictures(pictures(), [(2, 3)] * 2)
    assert said[0].probs.tolist() == pytest.approx(plain[0].probs.tolist(), abs=1e-6)
    assert all(parameter.grad is None for parameter in task.parameters())


def test_without_being_asked_for_there_is_no_map() -> None:
    assert make_task(RedOrGreen()).predict_pictures(pictures(), [(2, 3)] * 2)[0].cam is None


class Blocks(nn.Module):
    """A map of half the size behind another one; one logit per class is a sum of the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 2, stride=2)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.pool(self.second(self.first(images).relu()).relu()).flatten(1)
        return logits


class Named(Blocks):
    def cam_layer(self) -> nn.Module:
        return self.first


class OfTask(ClassificationTask):
    def cam_layer(self, images: Tensor) -> nn.Module:
        assert isinstance(self.model, Blocks)
        return self.model.first


def test_the_layer_is_the_last_map_or_the_one_that_network_or_task_name() -> None:
    images = torch.zeros(1, 3, 8, 12, dtype=torch.uint8)
    plain, named = make_task(Blocks()), make_task(Named())
    assert isinstance(plain.model, Blocks)
    assert isinstance(named.model, Named)
    # Pooled to one cell, it tells no place.
    assert plain.cam_layer(images) is plain.model.second
    assert named.cam_layer(images) is named.model.first
    of_task = OfTask(Blocks(), 2).eval()
    for task, size in ((plain, (4, 6)), (named, (8, 12)), (of_task, (8, 12))):
        assert task.class_activations(images, torch.tensor([1])).shape == (1, 1, *size)
    # It is found once, and is no part of the weights.
    assert plain.cam_layer(images) is plain.model.second
    assert not [name for name in plain.state_dict() if "cam" in name]


def test_the_tutorials_network_has_maps_of_any_size() -> None:
    task = CNNClassifierTask(2, (40, 56)).eval()
    images = torch.randint(0, 256, (3, 3, 40, 56), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    # Halved three times.
    assert task.class_activations(images, torch.tensor([0, 1, 1])).shape == (3, 1, 5, 7)


def test_networks_of_timm_have_the_map_before_their_pooling() -> None:
    network = TimmClassifier(create_encoder("test_resnet", None), 2)
    task = make_task(network)
    layer = task.cam_layer(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert layer is network.get_submodule("encoder.layer4")


class Beside(Blocks):
    """Its logits know the picture by another way, too."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) + images.mean((2, 3))[:, :2]


class ChannelsLast(Blocks):
    """A map ``(B, h, w, C)``."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 64)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.second(self.first(images)).permute(0, 2, 3, 1)).mean((1, 2))[:, :2]
        return logits


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 12, 2)), "no layer of Sequential has a feature map"),
        (Beside(), "of Beside of four dimensions, of a layer Conv2d, is no feature map"),
        (ChannelsLast(), "of ChannelsLast of four dimensions, of a layer Linear, is no feature map"),
    ],
    ids=["no map", "another way", "channels last"],
)
def test_networks_without_such_a_map_are_refused_in_one_line(network: nn.Module, message: str) -> None:
    task = make_task(network)
    with pytest.raises(ModelError, match=rf"^cam: .*{message}.*give its task a method cam_layer\(images\)"):
        task.class_activations(torch.zeros(1, 3, 8, 12, dtype=torch.uint8), torch.tensor([0]))


def test_transformers_are_refused() -> None:
    network = TimmClassifier(create_encoder("test_vit", None), 2)
    with pytest.raises(ModelError, match="is no feature map"):
        last_feature_map(make_task(network), network, torch.zeros(1, 3, 160, 160, dtype=torch.uint8))


def test_maps_are_no_knob_of_masks() -> None:
    from lightning_seg.tasks.segmentation import SegmentationTask

    with pytest.raises(ConfigError, match="cam means nothing to SegmentationTask"):
        SegmentationTask(nn.Conv2d(3, 2, 1), 2).make_inference({"cam": True})
