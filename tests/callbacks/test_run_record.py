"""The numbers of a run as strict JSON, and the digest of initial weights: equal for equal numbers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import nn

from lightning_seg.callbacks import RunRecord
from lightning_seg.callbacks.run_record import weights_digest
from lightning_seg.errors import DataError


class Diverging(pl.LightningModule):
    """Whose loss is no number from the first step on."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss: torch.Tensor = self.layer(batch).sum() * float("nan")
        return loss

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/loss", self.layer(batch).sum() * float("nan"))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder: Path) -> None:
    trainer = pl.Trainer(
        logger=CSVLogger(folder, "", ""),
        accelerator="cpu",
        max_epochs=1,
        callbacks=[RunRecord(), ModelCheckpoint(folder, monitor="val/loss")],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader: Any = torch.utils.data.DataLoader(torch.ones(4, 1))  # type: ignore[arg-type]
    trainer.fit(Diverging(), loader, loader)


def test_a_best_score_that_is_no_number_is_null(tmp_path: Path) -> None:
    """Lightning takes the worst number there is for it, which JSON does not have."""
    fit(tmp_path)
    record = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert (record["best/val/loss"], record["val/loss"]) == (None, None)
    assert record["parameters"] == 2


def test_the_record_says_which_checkpoint_was_tested(tmp_path: Path) -> None:
    class Tested(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            loss: torch.Tensor = self.layer(batch).sum()
            return loss

        def test_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            self.log("test/loss", self.layer(batch).sum())

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    quiet: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    callbacks = [RunRecord(), ModelCheckpoint(tmp_path / "kept", "{epoch}", save_top_k=-1)]
    trainer = pl.Trainer(logger=CSVLogger(tmp_path, "", ""), max_epochs=3, callbacks=callbacks, **quiet)
    loader: Any = torch.utils.data.DataLoader(torch.ones(4, 1))  # type: ignore[arg-type]
    module = Tested()
    trainer.fit(module, loader)
    path = tmp_path / "kept" / "epoch=1.ckpt"
    trainer.test(module, loader, path, verbose=False, weights_only=True)
    record = json.loads((tmp_path / "metrics.json").read_text())
    told = {name: record[name] for name in record if name.startswith("checkpoint/")}
    assert told == {
        "checkpoint/test/file": "epoch=1.ckpt",
        "checkpoint/test/epoch": 1,
        "checkpoint/test/sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    # What the module holds after a training is of no file.
    trainer.test(module, loader, verbose=False)
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert {name: record[name] for name in told} == dict.fromkeys(told)


def test_numbers_that_were_cut_off_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"val/lo')
    with pytest.raises(DataError, match=r"metrics.json: no valid JSON .*; delete it, and it is begun anew"):
        fit(tmp_path)


def test_names_and_layout_do_not_count() -> None:
    convolution = nn.Conv2d(3, 4, 3)
    before = weights_digest(nn.Sequential(convolution, nn.BatchNorm2d(4)))
    # Dropout in between has no numbers, and moves the names.
    assert weights_digest(nn.Sequential(convolution, nn.Dropout(0.5), nn.BatchNorm2d(4))) == before
    assert weights_digest(nn.Sequential(convolution.to(memory_format=torch.channels_last), nn.BatchNorm2d(4))) == before


def test_one_other_number_or_shape_counts() -> None:
    layer = nn.Linear(3, 2)
    digests = {weights_digest(layer)}
    with torch.no_grad():
        layer.weight[0, 0] += 1e-6
    digests.add(weights_digest(layer))
    turned = nn.Linear(2, 3)
    turned.weight, turned.bias = nn.Parameter(layer.weight.detach().reshape(3, 2)), layer.bias
    digests.add(weights_digest(turned))
    digests.add(weights_digest(layer.to(torch.bfloat16)))
    assert len(digests) == 4


def test_of_a_task_the_network_counts() -> None:
    task = nn.Module()
    task.model, task.loss = nn.Linear(3, 2), nn.Linear(1, 1)
    assert weights_digest(task) == weights_digest(task.model)
