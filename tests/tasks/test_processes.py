"""An encoder that begins to train in several processes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import FSDPStrategy
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lightning_seg.batch import IGNORE_INDEX
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.processes import check_unfreezing
from lightning_seg.tasks.segmentation import SegmentationTask


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(images))
        return logits


class Pictures(Dataset[dict[str, Any]]):
    """Of every second one most pixels are ignored."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = torch.Generator().manual_seed(index)
        mask = torch.randint(0, 3, (8, 8), generator=generator).to(torch.uint8)
        if index % 2:
            mask[:6] = IGNORE_INDEX
        return {"image": torch.randint(0, 256, (3, 8, 8), generator=generator, dtype=torch.uint8), "mask": mask}


class Data(pl.LightningDataModule):
    def train_dataloader(self) -> DataLoader[Any]:
        assert self.trainer is not None
        size = self.trainer.world_size
        sampler: DistributedSampler[Any] = DistributedSampler(Pictures(), size, self.trainer.global_rank, shuffle=False)
        return DataLoader(Pictures(), batch_size=4 // size, sampler=sampler)


class KeepWeights(pl.Callback):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        torch.save(
            pl_module.state_dict(), self.folder / f"{trainer.world_size}_{trainer.global_rank}_{trainer.current_epoch}"
        )


def fit(folder: Path, devices: int) -> None:
    torch.manual_seed(0)
    # Statistics of a batch would differ between a whole one and its halves.
    task = SegmentationTask(
        Net(),
        3,
        freeze_encoder=True,
        unfreeze_epoch=1,
        freeze_encoder_norm=True,
        optimizer="SGD",
        lr=0.5,
        dice_weight=1.0,
        class_weights=[0.2, 1.0, 3.0],
    )
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp_fork" if devices > 1 else "auto",
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[KeepWeights(folder)],
    )
    trainer.fit(task, datamodule=Data())


def test_an_encoder_unfreezes_in_all_processes_alike(tmp_path: Path) -> None:
    for devices in (1, 2):
        fit(tmp_path, devices)
    epochs = []
    for epoch in range(3):
        one, first, second = (torch.load(tmp_path / f"{name}_{epoch}") for name in ("1_0", "2_0", "2_1"))
        for name, weight in one.items():
            if name.startswith("model."):
                assert torch.equal(first[name], second[name]), (name, epoch)
                torch.testing.assert_close(first[name], weight, atol=1e-6, rtol=0)
        epochs.append(first)
    weight = "model.encoder.0.weight"
    torch.manual_seed(0)
    assert torch.equal(epochs[0][weight], Net().state_dict()[weight.removeprefix("model.")])
    assert (epochs[2][weight] - epochs[0][weight]).abs().max() > 1e-3
    assert not epochs[2]["model.encoder.1.running_mean"].any()


def test_other_strategies_are_refused() -> None:
    trainer: Any = SimpleNamespace(world_size=2, strategy=FSDPStrategy())
    with pytest.raises(ConfigError, match=r"does not work with FSDPStrategy; give --trainer\.strategy ddp"):
        check_unfreezing(trainer)
