"""Checks on samples of the real datasets, which are not part of the project; see the fixture ``real_data``."""

from collections import Counter
from pathlib import Path
from typing import Literal

import pytest
import torch
from PIL import Image
from torchvision.models import mobilenet_v2

from lightning_seg.datasets.oxford_pets import OxfordPetsDataset
from lightning_seg.images import read_image, resize_image
from lightning_seg.models.normalization import Normalize
from lightning_seg.tasks import MobileNetV2UNetTask

pytestmark = pytest.mark.real_data
GOLDEN_RETRIEVER = 207  # class of ImageNet


@pytest.fixture
def pets(real_data: Path) -> Path:
    return real_data / "oxford_pets"


@pytest.fixture
def encoder_weights(real_data: Path) -> Path:
    return real_data / "weights" / "mobilenet_v2_imagenet.pth"


@pytest.mark.parametrize(("split", "length"), [("trainval", 451), ("test", 100)])
def test_every_listed_pair_reads(pets: Path, split: Literal["trainval", "test"], length: int) -> None:
    dataset = OxfordPetsDataset(pets, split, image_size=(128, 128))

    values = torch.zeros(256, dtype=torch.int64)
    for index in range(len(dataset)):
        sample = dataset[index]
        assert sample["image"].shape == (3, 128, 128)
        values += torch.bincount(sample["mask"].flatten(), minlength=256)

    assert len(dataset) == length
    assert values.nonzero().flatten().tolist() == [0, 1, 2]
    # Not swapped: most of a picture is background, the border is its smallest part.
    assert values[1] > values[0] > values[2]


def test_oddities_of_the_archive_are_among_the_pictures(pets: Path) -> None:
    listed = {
        record.name: dataset.image_path(record)
        for dataset in (OxfordPetsDataset(pets, "trainval"), OxfordPetsDataset(pets, "test"))
        for record in dataset.records
    }
    formats = {}
    for name, path in listed.items():
        with Image.open(path) as image:
            formats[name] = (image.format, image.mode)

    assert len(listed) == 551
    assert formats["Abyssinian_34"][0] == "GIF"
    assert formats["Abyssinian_5"] == ("PNG", "RGBA")
    assert Counter(kind for kind, _ in formats.values())["JPEG"] > 500
    assert any((pets / "images").glob("*.mat"))


def test_encoder_weights_fill_the_encoder(encoder_weights: Path) -> None:
    task = MobileNetV2UNetTask(encoder_weights=str(encoder_weights), normalization="symmetric")
    stored = torch.load(encoder_weights, weights_only=True)

    encoder = task.model.get_submodule("encoder").state_dict()
    assert all(torch.equal(values, stored[name]) for name, values in encoder.items())


def test_pretrained_network_sees_the_golden_retriever(real_data: Path, encoder_weights: Path) -> None:
    network = mobilenet_v2(weights=None)
    network.load_state_dict(torch.load(encoder_weights, weights_only=True), strict=True)
    picture = resize_image(read_image(real_data / "cat_dog" / "cat_dog.jpg"), (224, 224))
    images = torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0)

    with torch.no_grad():
        logits = network.eval()(Normalize("symmetric")(images))

    assert logits.argmax().item() == GOLDEN_RETRIEVER
