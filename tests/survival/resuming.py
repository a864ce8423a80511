"""A small training whose every batch and last weights are remembered, for tests of what a resumed one does."""

import hashlib
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from lightning_seg import CNNClassifierTask, FlowersDataModule

Seen = tuple[int, int, str]
"""Epoch, index, digest of the pixels."""
EPOCHS = 2


class Witness(CNNClassifierTask):
    """Remembers what it was shown, and at which rates it learned."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[Seen] = []
        self.rates: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        digests = [hashlib.sha1(image.cpu().numpy().tobytes()).hexdigest() for image in batch["image"]]
        self.seen += zip(batch["epoch"].tolist(), batch["index"].tolist(), digests, strict=True)
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"])
        return super().training_step(batch, batch_idx)


def make_data(root: Path, **options: Any) -> FlowersDataModule:
    given = {"image_size": 32, "batch_size": 2, "num_workers": 0, "augment": "flips_rotation", "test_fraction": 0.0}
    return FlowersDataModule(root, **{**given, "val_fraction": 1 / 3, **options})


def make_task(**options: Any) -> Witness:
    given = {"num_classes": 5, "image_size": (32, 32), "dropout": 0.5, "schedule": "one_cycle", "optimizer": "adamw"}
    return Witness(**{**given, **options})


def fit(
    root: Path,
    ckpt_path: Path | None = None,
    save_to: Path | None = None,
    task: dict[str, Any] | None = None,
    trainer: dict[str, Any] | None = None,
    **data: Any,
) -> Witness:
    """Train from the beginning or from a checkpoint; with ``save_to``, save after every step, validation and epoch."""
    pl.seed_everything(7, verbose=False)
    made = make_task(**(task or {}))
    given: dict[str, Any] = {"max_epochs": EPOCHS, "accelerator": "cpu", **(trainer or {})}
    quiet: dict[str, Any] = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    callbacks = [*given.pop("callbacks", ()), *([] if save_to is None else checkpoints(save_to))]
    saves = given.pop("enable_checkpointing", save_to is not None)
    pl.Trainer(**given, **quiet, callbacks=callbacks, enable_checkpointing=saves).fit(
        made, make_data(root, **data), ckpt_path=ckpt_path, weights_only=True
    )
    return made


def checkpoints(folder: Path) -> list[pl.Callback]:
    every: dict[str, Any] = {"dirpath": folder, "save_top_k": -1}
    return [
        ModelCheckpoint(filename="batch_{step}", every_n_train_steps=1, **every),
        ModelCheckpoint(filename="validated_{epoch}", monitor="val/loss", save_on_train_epoch_end=False, **every),
        ModelCheckpoint(filename="ended_{epoch}", save_on_train_epoch_end=True, **every),
    ]


def weights_of(task: pl.LightningModule) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in task.state_dict().items()}


def assert_same_weights(task: pl.LightningModule, other: pl.LightningModule) -> None:
    one, two = weights_of(task), weights_of(other)
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []
