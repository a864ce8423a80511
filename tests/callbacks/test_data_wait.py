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
from lightning_seg.datamodules import loaders
from lightning_seg.datamodules.loaders import TrainLoader


class Clock:
    """Time that passes where something sleeps, and nowhere else; ``real`` sleeps really."""

    def __init__(self) -> None:
        self.now, self.is_real = 100.0, False

    def perf_counter(self) -> float:
        return time.perf_counter() if self.is_real else self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.is_real:
            time.sleep(seconds)


CLOCK = Clock()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(loaders, "time", CLOCK)
    monkeypatch.setattr(data_wait, "time", CLOCK)
    monkeypatch.setattr(CLOCK, "is_real", False)
    return CLOCK


class Sleeping(Dataset[Tensor]):
    """Eight samples, each of which takes ``seconds`` to read."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __len__(self) -> int:
        return 8

    def __getitem__(self, key: Any) -> Tensor:
        CLOCK.sleep(self.seconds)
        return torch.ones(1)


class Step(pl.LightningModule):
    """A step that takes so many seconds, and a validation of one batch that takes far more."""

    def __init__(self, seconds: float, validation: float = 0.0) -> None:
        super().__init__()
        self.layer, self.seconds, self.validation = nn.Linear(1, 1), seconds, validation

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        CLOCK.sleep(self.seconds)
        return self.layer(batch).sum()  # type: ignore[no-any-return]

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        CLOCK.sleep(self.validation)

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
    # Two samples of 1 s and a step of 3 s.
    assert fit(tmp_path, Step(3), Data(1)) == 0.4


def test_two_workers_read_while_steps_compute(tmp_path: Path, clock: Clock) -> None:
    clock.is_real = True
    # In turns 0.4 s of reading before steps of 0.4 s would be a half. Two processes read while steps compute, so the
    # first of four batches is waited for, and the start of the processes in the first of three epochs.
    share = fit(tmp_path, Step(0.4), Data(0.2, num_workers=2), max_epochs=3)
    assert share is not None
    assert 0.15 < share < 0.42


def test_two_workers_that_are_too_slow_are_waited_for(tmp_path: Path, clock: Clock) -> None:
    clock.is_real = True
    # Two batches at a time take 0.6 s, so four take 1.2 s; steps of 0.01 s are hidden behind all but the last two.
    assert fit(tmp_path, Step(0.01), Data(0.3, num_workers=2)) == pytest.approx(0.95, abs=0.15)


def test_validation_in_the_middle_of_an_epoch_is_no_time_of_steps(tmp_path: Path) -> None:
    task = Step(3, validation=50)
    share = fit(tmp_path, task, Data(1), limit_val_batches=1, num_sanity_val_steps=1, val_check_interval=2)
    assert share == 0.4


def test_part_of_an_epoch_is_measured_as_far_as_it_goes(tmp_path: Path) -> None:
    measured = DataWait()
    assert fit(tmp_path, Step(3), Data(1), limit_train_batches=2, callbacks=[measured]) == 0.4
    assert [measured.waited, measured.seconds] == pytest.approx([4, 10])


def test_an_epoch_that_goes_on_from_its_middle_is_measured_from_there(tmp_path: Path) -> None:
    saving = ModelCheckpoint(tmp_path, "middle", every_n_train_steps=3)
    fit(tmp_path / "first", Step(3), Data(1), callbacks=[saving])
    measured = DataWait()
    fit(tmp_path, Step(3), Data(2), callbacks=[measured], ckpt_path=tmp_path / "middle.ckpt")
    # One of the four batches is left.
    assert [measured.waited, measured.seconds] == pytest.approx([4, 7])


@pytest.mark.parametrize(("of_step", "messages"), [(16, 1), (20, 0)])
def test_above_a_tenth_it_is_said_once_with_the_remedy(
    tmp_path: Path, warnings: Any, of_step: float, messages: int
) -> None:
    # 2 of 18 s, or of 22.
    fit(tmp_path, Step(of_step), Data(1), max_epochs=3)
    expected = "steps waited for data 11 % of the time of epoch 0 (8.0 of 72.0 s); give a faster disk"
    assert warnings() == [expected] * messages


def test_less_than_a_second_of_an_epoch_is_not_worth_a_word(tmp_path: Path, warnings: Any) -> None:
    assert fit(tmp_path, Step(0), Data(0.12), max_epochs=2) == 1.0
    assert warnings() == []
    fit(tmp_path, Step(0), Data(0.13))
    assert len(warnings()) == 1


def test_the_epoch_that_fills_a_cache_is_judged_only_if_it_is_alone(tmp_path: Path, warnings: Any) -> None:
    class Filling(Step):
        def on_train_epoch_end(self) -> None:
            self.trainer.train_dataloader.dataset.seconds = 0  # type: ignore[union-attr]

    # 8 of 20 s in the first epoch, nothing of 12 in the second.
    assert fit(tmp_path, Filling(3), Data(1, cache=True), max_epochs=2) == 0.25
    assert warnings() == []
    fit(tmp_path, Filling(3), Data(1, cache=True), max_epochs=1)
    assert len(warnings()) == 1


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
