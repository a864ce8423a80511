"""Averaged weights: what the average is, what is measured, kept and gone on from."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lightning_seg import MobileNetV2UNetTask, OxfordPetsDataModule
from lightning_seg.callbacks.weight_average import AveragedTask, WeightAverage, averaged, decay_after
from lightning_seg.checkpoints import check_checkpoint
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.resuming import TRAINED
from tests.survival.resuming import assert_same_weights, fit, make_task, weights_of

Batches = DataLoader[Any]
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


class OneWeight(pl.LightningModule):
    """A weight w whose loss is w, so that each step of SGD takes the rate away from it."""

    endless: Tensor
    running_mean: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(10.0))
        self.register_buffer("endless", torch.tensor(float("inf")))
        self.register_buffer("running_mean", torch.tensor(0.0))
        self.register_buffer("count", torch.tensor(0))
        self.validated: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.running_mean.add_(1)
        self.count.add_(1)
        return self.weight

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.validated.append(self.weight.item())

    test_step = validation_step

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def train(module: pl.LightningModule, callback: pl.Callback, batches: int = 3, **given: Any) -> pl.Trainer:
    options = {"max_epochs": 1, "enable_checkpointing": False, **given}
    own = [callback, *options.pop("callbacks", ())]
    trainer = pl.Trainer(**QUIET, **options, callbacks=own)
    trainer.fit(module, loader(batches), loader(1))
    return trainer


def loader(batches: int) -> Batches:
    return DataLoader([0.0] * batches, num_workers=0)  # type: ignore[arg-type]


def test_three_steps_on_paper() -> None:
    # The weight is 9, 8 and 7 after its three steps. The average begins as the first of them, 9; then
    # 9 * 2/11 + 8 * 9/11 = 90/11, and 90/11 * 1/4 + 7 * 3/4 = 321/44 (1/4 is (1 + 2) / (10 + 2)).
    module = OneWeight()
    train(module, WeightAverage(0.999))
    assert module.validated == pytest.approx([321 / 44])
    assert module.weight.item() == pytest.approx(321 / 44)
    # Running statistics likewise, of 1, 2 and 3; counts and constants are the newest.
    assert module.running_mean.item() == pytest.approx((1 * 2 / 11 + 2 * 9 / 11) / 4 + 3 * 3 / 4)
    assert (module.count.item(), module.endless.item()) == (3, float("inf"))


def test_a_small_decay_stands_from_the_second_step_on() -> None:
    # 9; then 0.9 + 7.2 = 8.1; then 0.81 + 6.3 = 7.11.
    module = OneWeight()
    train(module, WeightAverage(0.1))
    assert module.validated == pytest.approx([7.11])
    module = OneWeight()
    train(module, WeightAverage(0.0))
    assert module.validated == [7.0]


def test_the_decay_grows_up_to_what_was_asked_for() -> None:
    assert [decay_after(number, 0.999) for number in (0, 1, 8)] == [0.0, 2 / 11, 0.5]
    assert decay_after(8980, 0.999) < 0.999
    assert decay_after(8990, 0.999) == decay_after(10**9, 0.999) == 0.999


def test_accumulated_gradients_are_one_step() -> None:
    # Two steps, whose gradients are of two batches each: 9, and 8.
    module = OneWeight()
    train(module, WeightAverage(0.999), batches=4, accumulate_grad_batches=2)
    assert module.validated == pytest.approx([90 / 11])


def test_the_training_goes_on_with_its_own_weights_after_a_validation() -> None:
    module = OneWeight()
    train(module, WeightAverage(0.5), batches=2, max_epochs=2)
    # 9, 8 and then 7, 6; the averages at 2/11, 1/4 and 4/13.
    second = 9 * 2 / 11 + 8 * 9 / 11
    fourth = (second / 4 + 7 * 3 / 4) * 4 / 13 + 6 * 9 / 13
    assert module.validated == pytest.approx([second, fourth])


def test_checkpoints_hold_the_average_and_what_trains_beside_it(tmp_path: Path) -> None:
    module = OneWeight()
    newest = ModelCheckpoint(tmp_path, "newest", save_last=True, every_n_train_steps=1)
    trainer = train(module, WeightAverage(0.999), enable_checkpointing=True, callbacks=[newest])
    trainer.save_checkpoint(tmp_path / "after.ckpt")
    for name in ("newest", "last", "after"):
        content = torch.load(tmp_path / f"{name}.ckpt", weights_only=True)
        assert content["state_dict"]["weight"].item() == pytest.approx(321 / 44)
        assert content[TRAINED]["weight"].item() == 7.0
        assert content["averaging_state"]["n_averaged"].item() == 3


def test_a_checkpoint_out_of_a_validation_holds_the_same(tmp_path: Path) -> None:
    class Broken(OneWeight):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        train(Broken(), WeightAverage(0.999), callbacks=[OnExceptionCheckpoint(tmp_path)], enable_checkpointing=True)
    content = torch.load(tmp_path / "on_exception.ckpt", weights_only=True)
    assert content["state_dict"]["weight"].item() == pytest.approx(321 / 44)
    assert content[TRAINED]["weight"].item() == 7.0


def test_the_average_is_what_a_trainer_measures_after_the_training(tmp_path: Path) -> None:
    module = OneWeight()
    newest = ModelCheckpoint(tmp_path, "newest")
    trainer = train(module, WeightAverage(0.999), enable_checkpointing=True, callbacks=[newest])
    for path in (None, tmp_path / "newest.ckpt"):
        trainer.validate(module, loader(1), ckpt_path=path, verbose=False, weights_only=True)
        assert module.validated[-1] == pytest.approx(321 / 44)
        assert module.weight.item() == pytest.approx(321 / 44)


@pytest.mark.parametrize("limit", [{"max_epochs": 1}, {"max_epochs": 9, "max_steps": 3}, {"limit_train_batches": 0}])
def test_a_fit_that_finds_nothing_left_to_train_ends_with_the_average(limit: dict[str, int], tmp_path: Path) -> None:
    newest = ModelCheckpoint(tmp_path, "newest")
    train(OneWeight(), WeightAverage(0.999), enable_checkpointing=True, callbacks=[newest])
    module = OneWeight()
    trainer = pl.Trainer(**QUIET, **limit, callbacks=[WeightAverage(0.999)], enable_checkpointing=False)  # type: ignore[arg-type]
    trainer.fit(module, loader(3), loader(1), ckpt_path=tmp_path / "newest.ckpt", weights_only=True)
    assert module.validated == []
    for measure in (trainer.test, trainer.validate):
        measure(module, loader(1), verbose=False)
    assert module.validated == pytest.approx([321 / 44, 321 / 44])
    trainer.save_checkpoint(tmp_path / "again.ckpt")
    again = torch.load(tmp_path / "again.ckpt", weights_only=True)
    assert (again["state_dict"]["weight"].item(), again[TRAINED]["weight"].item()) == (pytest.approx(321 / 44), 7.0)


def test_ctrl_c_leaves_the_average_too() -> None:
    class Stopped(OneWeight):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            if batch_idx == 3:
                raise KeyboardInterrupt

    module = Stopped()
    with pytest.raises(SystemExit):
        train(module, WeightAverage(0.999), batches=5)
    assert module.weight.item() == pytest.approx(321 / 44)


def test_what_is_equal_stays_equal_to_the_bit() -> None:
    task = make_task()
    average = AveragedTask(task, 0.999, torch.device("cpu"))
    for _ in range(20):
        average.update_parameters(task)
    assert_same_weights(average.module, task)  # type: ignore[arg-type]


# What others do at the same time


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("moment", ["batch_step=7", "batch_step=10", "validated_epoch=0", "ended_epoch=0"])
def test_every_moment_can_be_resumed(
    flowers_root: Path, saved: Path, whole: pl.LightningModule, moment: str, num_workers: int
) -> None:
    resumed = fit(
        flowers_root,
        saved / f"{moment}.ckpt",
        save_to=saved / f"{moment}_{num_workers}",
        trainer={"callbacks": [WeightAverage(0.99)]},
        num_workers=num_workers,
    )
    assert_same_weights(resumed, whole)
    one, two = (
        torch.load(path / "ended_epoch=1.ckpt", weights_only=True)
        for path in (saved, saved / f"{moment}_{num_workers}")
    )
    for part in ("state_dict", TRAINED, "averaging_state"):
        assert all(torch.equal(value, two[part][name]) for name, value in one[part].items())
    assert any(not torch.equal(value, one[TRAINED][name]) for name, value in one["state_dict"].items())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def whole(flowers_root: Path, saved: Path) -> pl.LightningModule:
    """Never interrupted; what it was at each moment lies in ``saved``."""
    return fit(flowers_root, save_to=saved, trainer={"callbacks": [WeightAverage(0.99)]})


def test_its_checkpoints_are_plain_values(saved: Path, whole: pl.LightningModule) -> None:
    check_checkpoint(saved / "ended_epoch=1.ckpt")
    assert_same_weights(type(whole).load_from_checkpoint(saved / "ended_epoch=1.ckpt"), whole)


def test_averaging_does_not_change_what_is_trained(flowers_root: Path, saved: Path, whole: pl.LightningModule) -> None:
    assert whole.trainer.global_step == 20
    plain = weights_of(fit(flowers_root))
    content = torch.load(saved / "ended_epoch=1.ckpt", weights_only=True)
    assert all(torch.equal(value, plain[name]) for name, value in content[TRAINED].items())


def test_a_training_that_averages_no_more_goes_on_from_the_trained_weights(
    flowers_root: Path, saved: Path, whole: pl.LightningModule, caplog: pytest.LogCaptureFixture
) -> None:
    assert whole.trainer.global_step == 20
    resumed = fit(flowers_root, saved / "ended_epoch=0.ckpt")
    assert "the training goes on from the trained ones" in caplog.text
    assert_same_weights(resumed, fit(flowers_root))


def test_a_training_may_begin_to_average(flowers_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fit(flowers_root, save_to=tmp_path / "before")
    resumed = fit(
        flowers_root,
        tmp_path / "before" / "ended_epoch=0.ckpt",
        save_to=tmp_path / "after",
        trainer={"callbacks": [WeightAverage(0.99)]},
    )
    assert "the average begins with its weights" in caplog.text
    content = torch.load(tmp_path / "after" / "ended_epoch=1.ckpt", weights_only=True)
    assert content["averaging_state"]["n_averaged"].item() == 10
    assert_same_weights(type(resumed).load_from_checkpoint(tmp_path / "after" / "ended_epoch=1.ckpt"), resumed)


def test_frozen_encoders_stay_and_are_averaged_from_when_they_train(pets_root: Path, tmp_path: Path) -> None:
    data = OxfordPetsDataModule(pets_root, image_size=32, batch_size=8, num_workers=0, augment=False)
    task = MobileNetV2UNetTask(encoder_weights=None, freeze_encoder=True, unfreeze_epoch=1, class_names=None)
    before = copy.deepcopy(task.model.get_submodule("encoder").state_dict())
    newest = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[WeightAverage(0.9), newest],
    )
    trainer.fit(task, data)
    first, second = (torch.load(tmp_path / f"epoch={epoch}.ckpt", weights_only=True) for epoch in (0, 1))
    names = [name for name in before if before[name].dtype.is_floating_point]
    assert all(torch.equal(before[name], first["state_dict"][f"model.encoder.{name}"]) for name in before)
    assert not all(torch.equal(before[name], second["state_dict"][f"model.encoder.{name}"]) for name in names)
    layouts = {value.is_contiguous(memory_format=torch.channels_last) for value in _kernels(task)}
    assert layouts == {True}


def _kernels(task: pl.LightningModule) -> list[Tensor]:
    return [value for value in task.parameters() if value.dim() == 4 and min(value.shape[1:3]) > 1]


def test_weights_of_sixteen_bits_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"give --trainer\.precision bf16-mixed"):
        train(OneWeight(), WeightAverage(0.9), precision="bf16-true")


def test_the_samples_of_a_resumed_training_are_drawn_by_the_average() -> None:
    seen = []

    class Look(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
            with averaged(trainer):
                seen.append(pl_module.weight.item())
            seen.append(pl_module.weight.item())

    train(OneWeight(), WeightAverage(0.999), callbacks=[Look()])
    assert seen == pytest.approx([321 / 44, 7])
    train(OneWeight(), Look())
    assert seen[2:] == [7, 7]


@pytest.mark.parametrize("decay", [1.0, -0.1, 1.5])
def test_a_decay_that_is_none_is_one_line(decay: float, mistake: Callable[[list[str]], str]) -> None:
    assert f"ema {decay} is not from 0 to below 1" in mistake(["fit", "--config", "flowers", "--ema", str(decay)])
