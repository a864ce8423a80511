"""Continuing a run with other arguments, monitors that do not exist, what a checkpoint tells about itself."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor, nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader

from lightning_seg.batch import SegmentationBatch
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.processes import steps_are_fused
from lightning_seg.tasks.segmentation import SegmentationTask

STEPS = 2  # per epoch


class Tiny(nn.Module):
    """Two 1x1 convolutions, one of them called encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(3, 4, 1)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.encoder(images))
        return logits


class TinyTask(SegmentationTask):
    """Any argument of ``SegmentationTask``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(model=Tiny(), num_classes=3, **options)


class Rates(pl.Callback):
    """Notes what the optimiser is about to use, step by step."""

    def __init__(self) -> None:
        self.groups: list[list[dict[str, Any]]] = []
        self.averages: list[Tensor] = []

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        self.groups.append([{**group, "params": None} for group in optimizer.param_groups])
        states = [state["exp_avg"].clone() for state in optimizer.state.values() if "exp_avg" in state]
        self.averages.append(torch.cat([average.flatten() for average in states]) if states else torch.zeros(0))

    @property
    def lrs(self) -> list[float]:
        return [groups[0]["lr"] for groups in self.groups]


def batches() -> DataLoader[Any]:
    generator = torch.Generator().manual_seed(0)
    samples: list[SegmentationBatch] = [
        {
            "image": torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=generator),
            "mask": torch.randint(0, 3, (2, 8, 8), dtype=torch.uint8, generator=generator),
            "index": torch.arange(2),
            "epoch": torch.zeros(2, dtype=torch.int64),
            "path": ["a", "b"],
            "original_size": torch.full((2, 2), 8),
        }
        for _ in range(STEPS)
    ]
    return DataLoader(samples, batch_size=None)  # type: ignore[arg-type]


def make_trainer(folder: Path, epochs: int, *callbacks: pl.Callback) -> pl.Trainer:
    return pl.Trainer(
        default_root_dir=folder,
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        callbacks=list(callbacks),
    )


def train(folder: Path, **options: Any) -> Path:
    """One epoch, and its checkpoint."""
    trainer, path = make_trainer(folder, 1), folder / "first.ckpt"
    trainer.fit(TinyTask(**options), batches())
    trainer.save_checkpoint(path)
    return path


def go_on(folder: Path, checkpoint: Path, epochs: int = 2, **options: Any) -> Rates:
    rates = Rates()
    make_trainer(folder, epochs, rates).fit(TinyTask(**options), batches(), ckpt_path=checkpoint)
    return rates


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "b", "a"], "'a' stands there twice"),
        (["a", "b", ""], "'' is no name"),
        (["a", "b", "b "], "stands there"),
    ],
)
def test_metrics_need_a_name_for_each_class(names: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=f"class_names 'a', 'b', .*{said}"):
        TinyTask(class_names=names)
    classes = TinyTask().classes
    with pytest.raises(ConfigError, match=f"MyData has the classes 'a', 'b', .*{said}"):
        classes.meet_data(names, "MyData")
    # What joins the classes of a picture in tables may be part of a name.
    classes.meet_data([" a", "b; c", "d,"], "MyData")
    assert classes.known == (" a", "b; c", "d,")


def test_without_new_arguments_everything_goes_on(tmp_path: Path) -> None:
    checkpoint = train(tmp_path, lr=0.1, optimizer="adam")
    stored = torch.load(checkpoint, weights_only=True)["optimizer_states"][0]

    rates = go_on(tmp_path, checkpoint, lr=0.1, optimizer="adam")

    assert rates.lrs == [0.1, 0.1]
    averages = torch.cat([state["exp_avg"].flatten() for state in stored["state"].values()])
    torch.testing.assert_close(rates.averages[0], averages)


def test_a_new_rate_is_used_and_what_the_optimiser_learned_is_kept(tmp_path: Path) -> None:
    checkpoint = train(tmp_path, lr=0.1, weight_decay=0.01, encoder_lr_factor=0.5, optimizer="AdamW")
    stored = torch.load(checkpoint, weights_only=True)["optimizer_states"][0]

    rates = go_on(tmp_path, checkpoint, lr=0.02, weight_decay=0.2, encoder_lr_factor=0.1, optimizer="AdamW")

    by_hand = [(0.002, 0.2), (0.002, 0.0), (0.02, 0.2), (0.02, 0.0)]
    for groups in rates.groups:
        values = [(group["lr"], group["weight_decay"]) for group in groups]
        assert values == [pytest.approx(pair) for pair in by_hand]
    averages = torch.cat([state["exp_avg"].flatten() for state in stored["state"].values()])
    torch.testing.assert_close(rates.averages[0], averages)


def test_a_new_rate_follows_the_schedule_from_where_it_is(tmp_path: Path) -> None:
    """poly with power 1 falls in a straight line; after 2 of 4 steps half the rate is left."""
    options: dict[str, Any] = {"schedule": "poly", "schedule_options": {"power": 1.0}}
    checkpoint = train(tmp_path, lr=0.1, **options)

    rates = go_on(tmp_path, checkpoint, lr=0.4, **options)

    assert rates.lrs == pytest.approx([0.2, 0.1])


def test_a_new_schedule_starts_at_the_step_of_the_run(tmp_path: Path) -> None:
    checkpoint = train(tmp_path, lr=0.1, schedule="constant")

    rates = go_on(tmp_path, checkpoint, lr=0.1, schedule="cosine", schedule_options={"warmup": 0.0})

    assert rates.lrs == pytest.approx([0.1 * (1 + math.cos(math.pi * share)) / 2 for share in (0.5, 0.75)])


def test_schedules_of_torch_are_brought_to_their_step(tmp_path: Path) -> None:
    options: dict[str, Any] = {"schedule": "ExponentialLR", "schedule_options": {"gamma": 0.5}, "optimizer": "SGD"}
    checkpoint = train(tmp_path, lr=0.1, **options)

    rates = go_on(tmp_path, checkpoint, lr=0.8, **options)

    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.8)
    schedule, expected = ExponentialLR(optimizer, gamma=0.5), []
    for _ in range(2 * STEPS):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates.lrs == pytest.approx(expected[STEPS:])
    assert rates.lrs == pytest.approx([0.2, 0.1])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"optimizer": "adam"}, {"optimizer": "SGD"}),
        ({"freeze_encoder": True}, {"freeze_encoder": False}),
        ({"freeze_encoder": False}, {"freeze_encoder": True}),
    ],
)
def test_another_optimiser_or_other_trained_weights_start_anew(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = train(tmp_path, lr=0.1, **before)

    rates = go_on(tmp_path, checkpoint, lr=0.1, **after)

    assert "the optimiser starts anew" in caplog.text
    assert not rates.averages[0].abs().any()
    trained = 4 if not after.get("freeze_encoder") else 2
    assert len(rates.groups[0]) == trained


def test_options_of_the_optimiser_win_too(tmp_path: Path) -> None:
    checkpoint = train(tmp_path, optimizer="SGD", optimizer_options={"momentum": 0.9})
    rates = go_on(tmp_path, checkpoint, optimizer="SGD", optimizer_options={"momentum": 0.5})
    assert [group["momentum"] for group in rates.groups[0]] == [0.5] * 4


def test_testing_a_checkpoint_with_other_arguments_changes_nothing(tmp_path: Path) -> None:
    checkpoint = train(tmp_path, lr=0.1)
    trainer = make_trainer(tmp_path, 1)
    (values,) = trainer.test(TinyTask(lr=0.5), batches(), ckpt_path=checkpoint, verbose=False)
    assert values["test/loss"] > 0


def early(monitor: str) -> pl.Callback:
    return EarlyStopping(monitor)


def best(monitor: str) -> pl.Callback:
    return ModelCheckpoint(monitor=monitor)


@pytest.mark.parametrize("make", [early, best])
@pytest.mark.parametrize(
    ("monitor", "nearest"),
    [("val_loss", "val/loss"), ("val/mIoU", "val/miou"), ("val/iou/bordr", "val/iou/border"), ("xyz", "")],
)
def test_a_monitor_that_is_never_logged_is_found_before_the_first_step(
    tmp_path: Path, make: Callable[[str], pl.Callback], monitor: str, nearest: str
) -> None:
    trainer = make_trainer(tmp_path, 1, make(monitor))
    task = SegmentationTask(Tiny(), 3, class_names=["pet", "background", "border"])
    with pytest.raises(ConfigError, match=f"monitors '{monitor}', which is never logged; did you mean '{nearest}"):
        trainer.fit(task, batches(), batches())
    assert trainer.global_step == 0


@pytest.mark.parametrize("monitor", ["val/loss", "val/miou", "train/iou/border", "val/dice/pet"])
def test_monitors_that_are_logged_are_accepted(tmp_path: Path, monitor: str) -> None:
    task = SegmentationTask(Tiny(), 3, class_names=["pet", "background", "border"])
    assert_monitored(tmp_path, task, best(monitor))


def assert_monitored(folder: Path, task: SegmentationTask, *callbacks: pl.Callback) -> None:
    trainer = make_trainer(folder, 1, *callbacks)
    trainer.fit(task, batches(), batches())
    checkpoint = trainer.checkpoint_callback
    assert isinstance(checkpoint, ModelCheckpoint)
    assert checkpoint.monitor is not None
    assert checkpoint.best_model_score == trainer.callback_metrics[checkpoint.monitor]


class OwnMetric(pl.Callback):
    """A user's callback that logs something."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("own", 1.0)


def test_what_a_users_callback_logs_can_be_monitored(tmp_path: Path) -> None:
    assert_monitored(tmp_path, SegmentationTask(Tiny(), 3), OwnMetric(), best("own"))


class OwnTask(TinyTask):
    """A user's task that logs more than its base."""

    def on_train_epoch_end(self) -> None:
        super().on_train_epoch_end()
        self.log("own", 1.0)


def test_what_a_users_task_logs_can_be_monitored(tmp_path: Path) -> None:
    assert_monitored(tmp_path, OwnTask(), best("own"))


def test_a_checkpoint_names_its_class(tmp_path: Path) -> None:
    content = torch.load(train(tmp_path), weights_only=True)["lightning_seg"]
    # Its loaders tell no size, and their batches have one.
    expected = {"task": f"{__name__}.TinyTask", "image_size": [8, 8], "class_names_of_data": False}
    assert {name: content[name] for name in expected} == expected


# A checkpoint of a card on a CPU, and the reverse


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("lr", [0.1, 0.05])
def test_an_optimiser_steps_as_its_device_can_whatever_the_checkpoint_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool, after: bool, lr: float
) -> None:
    """Also where another argument is new, for which the groups of parameters are made anew."""
    monkeypatch.setattr("lightning_seg.tasks.base.steps_are_fused", lambda trainer: before)
    checkpoint = train(tmp_path, lr=0.1, optimizer="adamw")
    stored = torch.load(checkpoint, weights_only=True)["optimizer_states"][0]
    assert [bool(group["fused"]) for group in stored["param_groups"]] == [before] * len(stored["param_groups"])
    monkeypatch.setattr("lightning_seg.tasks.base.steps_are_fused", lambda trainer: after)

    rates = go_on(tmp_path, checkpoint, lr=lr, optimizer="adamw")

    assert {bool(group["fused"]) for groups in rates.groups for group in groups} == {after}
    expected = torch.cat([state["exp_avg"].flatten() for state in stored["state"].values()])
    assert torch.equal(rates.averages[0], expected)
    assert rates.lrs[0] == lr


@pytest.mark.parametrize(
    ("device", "precision", "clip", "expected"),
    [
        ("cpu", "32-true", None, True),
        ("mps", "32-true", None, False),
        ("cuda", "32-true", None, True),
        ("cuda", "bf16-mixed", None, True),
        # Lightning refuses both together.
        ("cuda", "bf16-mixed", 1.0, False),
        ("cuda", "32-true", 1.0, True),
    ],
)
def test_steps_are_fused_unless_lightning_could_not_clip(
    device: str, precision: str, clip: float | None, expected: bool
) -> None:
    strategy = SingleDeviceStrategy(torch.device(device))
    trainer: Any = SimpleNamespace(strategy=strategy, precision=precision, gradient_clip_val=clip)
    assert steps_are_fused(trainer) is expected
