"""The share of time that steps wait for data, beside what sleeping makes it by hand."""

import json
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lightning_seg.augmentation.seeding import TrainSampler
from lightning_seg.callbacks import DataWait, data_wait
from lightning_seg.datamodules.loaders import TrainLoader


class Sleeping(Dataset[Tensor]):
    """Eight samples, each of which takes ``seconds`` to read."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return 8

    def __getitem__(self, key: Any) -> Tensor:
        time.sleep(self.seconds)
        return torch.ones(1)


class Step(pl.LightningModule):
    """A step that takes so many seconds, and a validation of one batch that takes far more."""

    def __init__(self, seconds: float, validation: float = 0.0) -> None:
        super().__init__()
        self.layer, self.seconds, self.validation = nn.Linear(1, 1), seconds, validation

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        time.sleep(self.seconds)
        return self.layer(batch).sum()  # type: ignore[no-any-return]

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        time.sleep(self.validation)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Data(pl.LightningDataModule):
    """With loaders as those of the package."""

    def __init__(self, seconds: float, num_workers: int = 0, cache: bool = False) -> None:
        super().__init__()
        self.seconds, self.num_workers, self.cache = seconds, num_workers, cache

    def train_dataloader(self) -> DataLoader[Tensor]:
        dataset, workers = Sleeping(self.seconds), self.num_workers
        sampler = TrainSampler(dataset, seed=0)
        return TrainLoader(dataset, 2, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)

    def val_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(Sleeping(0), batch_size=8)

    def faster_loading(self) -> str:
        return "a faster disk"


def fit(
    folder: Path, task: Step, data: pl.LightningDataModule, ckpt_path: Path | None = None, **options: Any
) -> float | None:
    """The share that the run folder has afterwards."""
    defaults = {"max_epochs": 1, "limit_val_batches": 0, "callbacks": [DataWait()]}
    trainer = pl.Trainer(
        **{**defaults, **options},
        logger=CSVLogger(folder, "", ""),
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, data, ckpt_path=ckpt_path)
    record = folder / "metrics.json"
    return json.loads(record.read_text())["data_wait_share"] if record.is_file() else None


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.WARNING, data_wait.log.name)
    return lambda: [record.getMessage() for record in caplog.records if record.name == data_wait.log.name]


def test_without_workers_the_share_is_that_of_reading(tmp_path: Path) -> None:
    # Two samples of 0.05 s and a step of 0.1 s.
    assert fit(tmp_path, Step(0.1), Data(0.05)) == pytest.approx(0.5, abs=0.12)


def test_two_workers_read_while_steps_compute(tmp_path: Path) -> None:
    # Each has two batches: the first comes after 0.2 s, the others while steps of 0.3 s compute. 0.2 of 1.4 s, and the
    # start of the processes in the first of two epochs.
    share = fit(tmp_path, Step(0.3), Data(0.1, num_workers=2), max_epochs=2)
    assert share is not None
    assert 0.1 < share < 0.35


def test_two_workers_that_are_too_slow_are_waited_for(tmp_path: Path) -> None:
    # Two batches at a time take 0.6 s, so four take 1.2 s; steps of 0.02 s are hidden behind all but the last two.
    assert fit(tmp_path, Step(0.02), Data(0.3, num_workers=2)) == pytest.approx(0.95, abs=0.1)


def test_validation_in_the_middle_of_an_epoch_is_no_time_of_steps(tmp_path: Path) -> None:
    task = Step(0.1, validation=1.0)
    share = fit(tmp_path, task, Data(0.05), limit_val_batches=1, num_sanity_val_steps=1, val_check_interval=2)
    assert share == pytest.approx(0.5, abs=0.12)


def test_part_of_an_epoch_is_measured_as_far_as_it_goes(tmp_path: Path) -> None:
    assert fit(tmp_path, Step(0.1), Data(0.05), limit_train_batches=2) == pytest.approx(0.5, abs=0.12)


def test_much_waiting_is_said_once_with_the_remedy(tmp_path: Path, warnings: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(data_wait, "LEAST_SECONDS", 0.1)
    fit(tmp_path, Step(0.02), Data(0.02), max_epochs=3)
    (message,) = warnings()
    assert message.startswith("steps waited for data ")
    assert " % of the time of epoch 0 (0." in message
    assert message.endswith(" s); give a faster disk")


def test_little_waiting_is_not_worth_a_word(tmp_path: Path, warnings: Any, monkeypatch: Any) -> None:
    fit(tmp_path, Step(0.0), Data(0.02), max_epochs=2)
    assert warnings() == []  # most of the time, and a fifth of a second
    monkeypatch.setattr(data_wait, "LEAST_SECONDS", 0.0)
    assert fit(tmp_path, Step(0.3), Data(0.0), max_epochs=2) == pytest.approx(0.0, abs=0.09)
    assert warnings() == []


def test_the_epoch_that_fills_a_cache_is_judged_only_if_it_is_alone(
    tmp_path: Path, warnings: Any, monkeypatch: Any
) -> None:
    class Filling(Data):
        def train_dataloader(self) -> DataLoader[Tensor]:
            self.loader = super().train_dataloader()
            return self.loader

        def on_epoch(self) -> None:
            self.loader.dataset.seconds = 0.0  # type: ignore[attr-defined]

    class Cached(Step):
        def on_train_epoch_end(self) -> None:
            self.trainer.datamodule.on_epoch()  # type: ignore[attr-defined]

    monkeypatch.setattr(data_wait, "LEAST_SECONDS", 0.4)
    share = fit(tmp_path, Cached(0.1), Filling(0.1, cache=True), max_epochs=3)
    # 0.8 of 1.2 s in the first epoch, nothing in two of 0.4 s.
    assert share == pytest.approx(0.4, abs=0.12)
    assert warnings() == []
    fit(tmp_path, Cached(0.1), Filling(0.1, cache=True), max_epochs=1)
    assert len(warnings()) == 1


def test_an_epoch_that_goes_on_from_its_middle_is_measured_from_there(tmp_path: Path) -> None:
    saving = ModelCheckpoint(tmp_path, "middle", every_n_train_steps=3)
    fit(tmp_path / "first", Step(0.0), Data(0.0), callbacks=[saving])
    measured = DataWait()
    fit(tmp_path, Step(0.1), Data(0.15), callbacks=[measured], ckpt_path=tmp_path / "middle.ckpt")
    # One of the four batches is left.
    assert measured.waited == pytest.approx(0.3, abs=0.1)
    assert measured.seconds == pytest.approx(0.4, abs=0.2)


def test_loaders_without_a_clock_leave_nothing(tmp_path: Path) -> None:
    class Foreign(Data):
        def train_dataloader(self) -> DataLoader[Tensor]:
            return DataLoader(Sleeping(0.0))

    assert fit(tmp_path, Step(0.0), Foreign(0.0)) is None


def _largest(rank: int) -> tuple[float, float, float]:
    """What a process finds that has waited 1 of 4 s, or 3 of 4."""

    def reduce(values: Tensor, reduce_op: str) -> Tensor:
        assert reduce_op == "max"
        torch.distributed.all_reduce(values, op=torch.distributed.ReduceOp.MAX)
        return values

    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cpu"), reduce=reduce))
    return DataWait()._of_all_processes(trainer, 1.0 + 2 * rank, 4.0)


def test_of_several_processes_the_one_that_waits_longest_counts(in_two_processes: Any) -> None:
    for share, waited, seconds in in_two_processes(_largest):
        assert (share, waited, seconds) == pytest.approx((0.75, 3.0, 4.0))
