"""channels_last from the pictures to the last layer: a layer that got another layout would copy its input first."""

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from lightning_seg import CNNClassifierTask, MobileNetV2UNetTask, SlidingDetectorTask, TimmClassifierTask, UNetTask
from lightning_seg.tasks.supervised import SupervisedTask

TASKS: dict[str, tuple[Callable[[], SupervisedTask], int]] = {
    "pets": (lambda: MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False), 64),
    "carvana": (lambda: UNetTask(width=4, depth=2), 32),
    "flowers": (lambda: CNNClassifierTask(image_size=32), 32),
    "dogs": (lambda: TimmClassifierTask("resnet50", None, num_classes=12), 64),
    "detector": (lambda: SlidingDetectorTask("mobilenet_v2", None, num_classes=12, freeze_encoder=False), 224),
}
MAPS = nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d | nn.MaxPool2d


def is_last(tensor: Tensor) -> bool:
    return tensor.ndim != 4 or tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_every_layer_gets_and_gives_channels_last(name: str, train: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    make, side = TASKS[name]
    task = make().train(train)
    seen: dict[str, bool] = {}
    for layer, module in task.model.named_modules():
        if isinstance(module, MAPS):
            assert all(is_last(one) for one in module.parameters()), layer

            def look(module: nn.Module, given: tuple[Tensor], answer: Tensor, layer: str = layer) -> None:
                seen[layer] = is_last(given[0]) and is_last(answer)

            module.register_forward_hook(look)
    images = torch.zeros(2, 3, side, side, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    logits = task(images)
    assert len(seen) > 5
    assert [layer for layer, stays in seen.items() if not stays] == []
    assert is_last(logits)


def test_pictures_of_odd_sizes_stay_so_where_they_are_padded() -> None:
    task = UNetTask(width=4, depth=2)
    given = []
    task.model.register_forward_pre_hook(lambda module, images: given.append(images[0]))
    task(torch.zeros(2, 3, 30, 33, dtype=torch.uint8).contiguous(memory_format=torch.channels_last))
    assert given[0].shape == (2, 3, 32, 36)
    assert is_last(given[0])
