from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from lightning_seg import CarvanaDataModule, OxfordPetsDataModule, UNetTask
from lightning_seg.errors import ConfigError


def make_trainer(**options: object) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"max_epochs": 1, **options},  # type: ignore[arg-type]
    )


def test_several_classes_on_pets(pets_root: Path, tmp_path: Path) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=32, batch_size=4, num_workers=0, val_fraction=0.3)
    task, trainer = UNetTask(num_classes=3, width=4, depth=2, dice_weight=1.0), make_trainer()
    trainer.fit(task, data)
    trainer.save_checkpoint(tmp_path / "task.ckpt")

    assert trainer.callback_metrics["val/miou"] > 0
    loaded = UNetTask.load_from_checkpoint(tmp_path / "task.ckpt", map_location="cpu", weights_only=True).eval()
    images = torch.randint(0, 256, (1, 3, 37, 50), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded(images), task.eval()(images))
    assert loaded(images).shape == (1, 3, 37, 50)
    assert (loaded.hparams["width"], loaded.class_names) == (4, ("pet", "background", "border"))


def test_one_logit_learns_what_a_car_is(carvana_root: Path) -> None:
    torch.manual_seed(0)
    data = CarvanaDataModule(carvana_root, image_size=32, batch_size=4, num_workers=0, val_fraction=0.17)
    task, trainer = UNetTask(width=4, depth=2, lr=0.01, dice_weight=1.0), make_trainer(max_epochs=8)
    trainer.fit(task, data)
    # Calling every pixel a car gives the share of car, about 0.2.
    assert trainer.callback_metrics["val/iou/car"] > 0.5
    assert task.class_names == ("background", "car")


def test_reduction_follows_the_depth(pets_root: Path) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=36, num_workers=0, val_fraction=0.3)
    with pytest.raises(ConfigError, match="image_size 36 is not divisible by 8; use 32 or 40"):
        make_trainer().fit(UNetTask(num_classes=3, width=2, depth=3), data)


def test_pictures_as_they_are_train_one_at_a_time(pets_root: Path) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=None, batch_size=1, num_workers=0, val_fraction=0.3)
    trainer = make_trainer(limit_train_batches=2, limit_val_batches=2)
    trainer.fit(UNetTask(num_classes=3, width=2, depth=5, padding_mode="reflect"), data)
    assert torch.isfinite(trainer.callback_metrics["train/loss"])


def test_the_encoder_can_be_frozen() -> None:
    task = UNetTask(width=2, depth=2, freeze_encoder=True, class_names=["background", "car"])
    trained = {name.split(".")[0] for name, parameter in task.model.named_parameters() if parameter.requires_grad}
    assert trained == {"centre", "decoder", "head"}
