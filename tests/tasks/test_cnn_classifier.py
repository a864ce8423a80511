from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_seg import CNNClassifierTask
from lightning_seg.errors import ConfigError


class Pictures(pl.LightningDataModule):
    class_names = ("daisy", "roses")

    def __init__(self, image_size: tuple[int, int] | None) -> None:
        super().__init__()
        self.image_size = image_size

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        images = torch.randint(0, 256, (4, 3, 16, 24), dtype=torch.uint8)
        return DataLoader([{"image": images, "label": torch.tensor([0, 1, 0, 1])}], batch_size=None)  # type: ignore[arg-type]


def make_trainer() -> pl.Trainer:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return pl.Trainer(accelerator="cpu", max_epochs=1, **quiet)  # type: ignore[arg-type]


def test_defaults_are_those_of_the_tutorial() -> None:
    task = CNNClassifierTask()
    assert sum(parameter.numel() for parameter in task.parameters()) == 3_989_285
    images = torch.tensor([0, 51, 255]).to(torch.uint8).view(1, 3, 1, 1).expand(1, 3, 180, 180)
    assert task.normalize(images)[0, :, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    assert (task.hparams["optimizer"], task.hparams["lr"]) == ("adam", 0.001)


def test_checkpoint_alone_builds_the_network_again(tmp_path: Path) -> None:
    task, trainer = CNNClassifierTask(2, (16, 24), dropout=0.2), make_trainer()
    trainer.fit(task, Pictures((16, 24)))
    trainer.save_checkpoint(tmp_path / "task.ckpt")

    stored = torch.load(tmp_path / "task.ckpt", weights_only=True)
    loaded = CNNClassifierTask.load_from_checkpoint(tmp_path / "task.ckpt", map_location="cpu").eval()

    assert stored["lightning_seg"]["image_size"] == [16, 24]
    images = torch.randint(0, 256, (2, 3, 16, 24), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded(images), task.eval()(images))
    assert loaded.model.get_submodule("dropout").p == 0.2


def test_example_has_the_size_of_the_pictures() -> None:
    task = CNNClassifierTask(2, (16, 24))
    assert isinstance(task.example_input_array, Tensor)
    assert task(task.example_input_array).shape == (1, 2)


def test_datamodule_of_another_size_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="the task has image_size 180 x 180, the pictures have 16 x 24; give both the same"
    ):
        make_trainer().fit(CNNClassifierTask(2), Pictures((16, 24)))
    with pytest.raises(ConfigError, match="image_size null: this network takes pictures of one size; give one"):
        CNNClassifierTask(2, None)
    # A datamodule that leaves pictures as they are is found out at the first one.
    with pytest.raises(ConfigError, match="the task has image_size 180 x 180, the pictures have 16 x 24"):
        make_trainer().fit(CNNClassifierTask(2), Pictures(None))


def test_encoder_can_be_frozen() -> None:
    task = CNNClassifierTask(2, (16, 24), freeze_encoder=True)
    before = {name: values.clone() for name, values in task.model.state_dict().items()}
    make_trainer().fit(task, Pictures((16, 24)))
    changed = {name for name, values in task.model.state_dict().items() if not torch.equal(values, before[name])}
    assert changed == {name for name in before if name.startswith("head.")}


def test_pictures_are_laid_on_their_side_if_they_are_square() -> None:
    assert CNNClassifierTask(2, 16).make_inference({"tta": "d4"}).tta == "d4"
    with pytest.raises(ConfigError, match="tta d4 lays pictures on their side, this network takes 16 x 24 alone; use"):
        CNNClassifierTask(2, (16, 24)).make_inference({"tta": "d4"})
