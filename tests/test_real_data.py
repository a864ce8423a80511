"""Checks on samples of the real datasets, which are not part of the project; see the fixture ``real_data``."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from PIL import Image
from torchvision.models import mobilenet_v2

from lightning_seg.__main__ import main
from lightning_seg.datamodules import (
    CarvanaDataModule,
    FlowersDataModule,
    OxfordPetLabelsDataModule,
    OxfordPetsDataModule,
    StanfordDogsDataModule,
)
from lightning_seg.datamodules.base import DataModule
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


@pytest.mark.parametrize(
    ("kind", "folder", "seed", "digest"),
    [
        (OxfordPetsDataModule, "oxford_pets", 0, "d7fb29c518ca"),
        (OxfordPetsDataModule, "oxford_pets", 3, "1749cef6f64e"),
        (OxfordPetLabelsDataModule, "oxford_pets", 0, "44c09da898bd"),
        (OxfordPetLabelsDataModule, "oxford_pets", 3, "5bbb79824461"),
        (FlowersDataModule, "flower_photos", 0, "a20e269d9286"),
        (FlowersDataModule, "flower_photos", 3, "1afb56b1289b"),
        (StanfordDogsDataModule, "stanford_dogs", 0, "0d34261aef3d"),
        (StanfordDogsDataModule, "stanford_dogs", 3, "eefdaf0a4b44"),
        (CarvanaDataModule, "carvana", 0, "8aebb098d00c"),
        (CarvanaDataModule, "carvana", 3, "ced7bbb1f5b5"),
    ],
)
def test_what_a_seed_validates_on_stays(
    real_data: Path, kind: type[DataModule[Any]], folder: str, seed: int, digest: str
) -> None:
    """Digests of the sorted file names, as they were drawn from the beginning: older runs are validated on them."""
    pictures = kind(real_data / folder, seed=seed).pictures_of("val")
    names = "\n".join(sorted(Path(picture).name for picture in pictures))
    assert hashlib.sha256(names.encode()).hexdigest()[:12] == digest


def test_oddities_of_the_archive_read_like_any_picture(pets: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images").symlink_to(pets / "images")
    (tmp_path / "annotations" / "trimaps").symlink_to(pets / "annotations" / "trimaps")
    # The published lists leave the GIF out.
    (tmp_path / "annotations" / "trainval.txt").write_text("Abyssinian_34 1 1 1\nAbyssinian_5 1 1 1\n")
    dataset = OxfordPetsDataset(tmp_path)

    kinds = []
    for record in dataset.records:
        with Image.open(dataset.image_path(record)) as image:
            kinds.append((image.format, image.mode))
    classes = [set(dataset[index]["mask"].flatten().tolist()) for index in range(2)]

    assert kinds == [("GIF", "P"), ("PNG", "RGBA")]
    # The GIF's trimap is all background.
    assert classes == [{1}, {0, 1, 2}]
    assert any((tmp_path / "images").glob("*.mat"))


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


def test_a_few_steps_on_real_pictures_beat_the_untrained_network(
    pets: Path, encoder_weights: Path, tmp_path: Path
) -> None:
    config = Path(__file__).parents[1] / "configs" / "pets.yaml"
    flags = ["--config", str(config), "--data.root", str(pets), "--data.download", "false", "--data.num_workers", "0"]
    flags += ["--model.encoder_weights", str(encoder_weights), "--model.normalization", "symmetric"]
    flags += ["--trainer.default_root_dir", str(tmp_path), "--trainer.accelerator", "cpu"]
    flags += ["--data.cache_dir", str(tmp_path / "cache")]

    assert main(["test", *flags, "--trainer.limit_test_batches", "3"]) == 0
    assert main(["fit", *flags, "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "25"]) == 0
    assert main(["test", "--run", str(tmp_path / "pets" / "version_1"), "--trainer.limit_test_batches", "3"]) == 0

    untrained, trained = (
        json.loads((tmp_path / "pets" / f"version_{number}" / "metrics.json").read_text())["test/miou"]
        for number in (0, 1)
    )
    assert untrained < 0.35
    assert trained > 0.45
