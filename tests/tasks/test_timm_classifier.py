import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import timm
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_seg import TimmClassifierTask
from lightning_seg.errors import ConfigError, DownloadError
from lightning_seg.models.weights import without_pretrained

SMALL = "mobilenetv3_small_050"
VIT = "vit_tiny_patch16_224"
HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
MoveHub = Callable[[str, Path], None]
Publish = Callable[[str, str, dict[str, Tensor], dict[str, Any]], None]


def make_task(**options: Any) -> TimmClassifierTask:
    torch.manual_seed(0)
    return TimmClassifierTask(**{"arch": SMALL, "weights": None, "num_classes": 2, **options})


def random_images(*size: int) -> Tensor:
    return torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def batches(side: int) -> DataLoader[Any]:
    batch = {"image": random_images(side, side), "label": torch.tensor([0, 1])}
    return DataLoader([batch], batch_size=None)  # type: ignore[arg-type]


class Pictures(pl.LightningDataModule):
    class_names = ("beagle", "pug")

    def __init__(self, side: int) -> None:
        super().__init__()
        self.image_size = (side, side)

    def train_dataloader(self) -> DataLoader[Any]:
        return batches(self.image_size[0])


def make_trainer(**options: Any) -> pl.Trainer:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return pl.Trainer(accelerator="cpu", **{"max_epochs": 1, **quiet, **options})


def test_parameters_are_those_of_the_tutorial() -> None:
    task = TimmClassifierTask(weights=None)
    assert sum(parameter.numel() for parameter in task.parameters()) == 23_753_912


# The weights


@pytest.fixture
def published(publish: Publish) -> dict[str, Tensor]:
    """Weights of a whole network, as timm's are published."""
    torch.manual_seed(7)
    state: dict[str, Tensor] = timm.create_model(SMALL).state_dict()
    name = timm.get_pretrained_cfg(SMALL).hf_hub_id
    publish(name, "main", state, {})
    return state


def test_published_weights_are_fetched_once(
    published: dict[str, Tensor], tmp_path: Path, closed_url: str, move_hub: MoveHub
) -> None:
    task = make_task(weights="imagenet")
    move_hub(closed_url, tmp_path / "cache")
    again = make_task(weights="imagenet")

    for one in (task, again):
        encoder = one.model.encoder.state_dict()
        assert all(torch.equal(values, published[name]) for name, values in encoder.items())
    assert task.model.head.out_features == 2


@pytest.mark.parametrize("arch", [SMALL, VIT, "resnet18.tv_in1k"])
def test_nobody_to_fetch_from_is_told_at_once(arch: str, no_hub: str) -> None:
    start = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        make_task(arch=arch, weights="imagenet")
    assert time.monotonic() - start < 5
    message = str(caught.value)
    assert message.startswith(no_hub)
    assert "cannot be fetched" in message
    assert "\n" not in message
    assert message.endswith("give a local copy with --model.weights FILE, or null to start from random weights")


@pytest.mark.usefixtures("no_hub")
def test_mistakes_are_told_before_anything_is_fetched() -> None:
    with pytest.raises(ConfigError, match="arch 'resnt50' does not exist; the nearest names are resnet50, "):
        make_task(arch="resnt50", weights="imagenet")


def test_normalization_belongs_to_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "vit.pth"
    torch.save(timm.create_model(VIT).state_dict(), path)
    images = random_images(2, 2)
    task = make_task(arch=VIT, weights=str(path))
    assert task.hparams["normalization"] == HALF
    torch.testing.assert_close(task.normalize(images), images / 127.5 - 1)
    assert make_task(arch=VIT, weights=str(path), normalization="unit").hparams["normalization"] == "unit"
    assert make_task(arch=VIT).hparams["normalization"] == "imagenet"


def test_checkpoint_loads_without_the_weights_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(timm.create_model(SMALL).state_dict(), path)
    task, trainer = make_task(weights=str(path), drop_rate=0.2), make_trainer()
    trainer.fit(task, Pictures(64))
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    path.unlink()

    loaded = TimmClassifierTask.load_from_checkpoint(tmp_path / "task.ckpt", map_location="cpu").eval()

    torch.load(tmp_path / "task.ckpt", weights_only=True)
    assert loaded.class_names == ("beagle", "pug")
    with torch.no_grad():
        assert torch.equal(loaded(random_images(40, 50)), task.eval()(random_images(40, 50)))


@pytest.mark.parametrize(("given", "expected"), [(None, HALF), ("unit", "unit")])
def test_checkpoint_brings_the_normalization_that_was_not_given(given: Any, expected: object, tmp_path: Path) -> None:
    trainer = make_trainer()
    trainer.fit(make_task(normalization=HALF), Pictures(64))
    trainer.save_checkpoint(tmp_path / "task.ckpt")
    with without_pretrained():
        task = make_task(normalization=given)

    make_trainer().validate(task, batches(64), ckpt_path=tmp_path / "task.ckpt", verbose=False, weights_only=True)

    assert (task.hparams["normalization"], task.hparams_initial["normalization"]) == (expected, expected)
    # These batches come without a datamodule that knows the classes.
    assert task.known_class_names() == ("beagle", "pug")


# Pictures


def test_a_vision_transformer_takes_the_size_that_it_was_built_for() -> None:
    task = make_task(arch=VIT)
    assert isinstance(task.example_input_array, Tensor)
    assert task.example_input_array.shape[-2:] == (224, 224)
    message = f"^{VIT} takes pictures of 224 x 224 only, not of 64 x 64; set image_size 224, or another arch$"
    with pytest.raises(ConfigError, match=message):
        make_trainer().fit(task, Pictures(64))


def test_what_timm_cannot_run_is_one_line() -> None:
    task = make_task(arch="vgg11")
    with pytest.raises(ConfigError, match=r"^vgg11 cannot take pictures of 16 x 16: [^\n]*; give another image_size"):
        make_trainer().fit(task, Pictures(16))


# Training


def test_frozen_encoder_is_the_same_bit_by_bit_after_training() -> None:
    task = make_task(freeze_encoder=True)
    before = {name: values.clone() for name, values in task.model.state_dict().items()}
    make_trainer(max_epochs=2).fit(task, Pictures(64))
    changed = {name for name, values in task.model.state_dict().items() if not torch.equal(values, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_trying_a_picture_changes_no_mode_and_no_statistics() -> None:
    task = make_task().train()
    task.model.encoder.get_submodule("bn1").eval()
    before = {name: values.clone() for name, values in task.state_dict().items()}
    task.check_picture_size((64, 64))
    assert task.training
    assert task.model.encoder.training
    assert not task.model.encoder.get_submodule("bn1").training
    assert all(torch.equal(values, before[name]) for name, values in task.state_dict().items())


def test_freezing_random_weights_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        make_task(freeze_encoder=True)
        make_task(encoder_lr_factor=0.1)
    assert "freeze_encoder is on and weights is null, so random features would stay" in caplog.text
    assert "encoder_lr_factor is 0.1 and weights is null, so random features would learn slowly" in caplog.text
