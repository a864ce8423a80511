"""The systems that are measured, their pictures, and what holds for every row."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lightning_seg import (
    CarvanaDataModule,
    CNNClassifierTask,
    FlowersDataModule,
    MobileNetV2UNetTask,
    OxfordPetsDataModule,
    StanfordDogsDataModule,
    TimmClassifierTask,
    UNetTask,
)
from lightning_seg.synthetic.carvana import write_carvana
from lightning_seg.synthetic.flowers import write_flowers
from lightning_seg.synthetic.oxford_pets import write_oxford_pets
from lightning_seg.synthetic.stanford_dogs import write_stanford_dogs
from lightning_seg.tasks.supervised import SupervisedTask


class System(NamedTuple):
    """How one of the tasks is trained here."""

    config: str
    folder: str
    data: Any
    side: int
    make: Callable[[int, int], SupervisedTask]  # of a side, and of so many classes
    write: Callable[[Path, int], None]  # so many synthetic pictures
    flags: tuple[str, ...]  # random weights


def write_pets(root: Path, count: int) -> None:
    # Some of each breed validate, one in ten.
    breeds = 8 if count >= 160 else 2
    write_oxford_pets(root, num_trainval=count, num_test=max(breeds, count // 10), num_breeds=breeds)


SYSTEMS = {
    "pets": System(
        "pets.yaml",
        "oxford_pets",
        OxfordPetsDataModule,
        128,
        lambda side, classes: MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=False, dice_weight=1.0),
        lambda root, count: write_pets(root, count),
        ("--model.encoder_weights", "null", "--model.encoder_lr_factor", "1", "--model.freeze_encoder_norm", "false"),
    ),
    "carvana": System(
        "carvana.yaml",
        "carvana",
        CarvanaDataModule,
        256,
        lambda side, classes: UNetTask(dice_weight=1.0),
        lambda root, count: write_carvana(root, num_cars=max(3, count // 64)),
        (),
    ),
    "flowers": System(
        "flowers.yaml",
        "flowers",
        FlowersDataModule,
        180,
        lambda side, classes: CNNClassifierTask(image_size=side, dropout=0.2),
        lambda root, count: write_flowers(root, num_per_class=max(4, count // 5)),
        (),
    ),
    "dogs": System(
        "dogs.yaml",
        "stanford_dogs",
        StanfordDogsDataModule,
        224,
        lambda side, classes: TimmClassifierTask("resnet50", None, classes, label_smoothing=0.1),
        lambda root, count: write_stanford_dogs(root, num_train=max(40, count), num_test=40),
        ("--model.weights", "null", "--model.encoder_lr_factor", "1"),
    ),
}


class Setting(NamedTuple):
    """What holds for every row."""

    device: torch.device
    quick: bool
    seconds: float  # of each measurement
    roots: dict[str, Path]
    end: float  # of the budget, by the monotonic clock
    pictures: dict[str, Any]  # datamodules by system, whose caches are filled once

    @property
    def is_card(self) -> bool:
        return self.device.type == "cuda"

    def left(self) -> float:
        return self.end - time.monotonic()
