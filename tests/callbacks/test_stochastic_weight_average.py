"""The mean of the weights of the last epochs: what it is, what is measured, kept and gone on from."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader

from lightning_seg import OxfordPetsDataModule, UNetTask
from lightning_seg.callbacks import StochasticWeightAverage, WeightAverage
from lightning_seg.callbacks.stochastic_weight_average import check_start
from lightning_seg.checkpoints import check_checkpoint
from lightning_seg.errors import ConfigError
from lightning_seg.tasks.resuming import TRAINED
from tests.callbacks.test_weight_average import OneWeight, loader, train
from tests.survival.resuming import assert_same_weights, checkpoints, fit, weights_of

FOUR: dict[str, Any] = {"max_epochs": 4}
QUIET: dict[str, Any] = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False}
QUIET |= {"enable_model_summary": False, "num_sanity_val_steps": 0}


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


def test_the_mean_of_the_last_half_on_paper() -> None:
    # Two steps an epoch take 1 each from a weight of 10: 8, 6, 4 and 2 after the four epochs.
    module = OneWeight()
    train(module, StochasticWeightAverage(0.5), batches=2, max_epochs=4)
    assert module.validated == [8, 6, 4, (4 + 2) / 2]
    assert module.weight.item() == 3
    module = OneWeight()
    train(module, StochasticWeightAverage(0.0), batches=2, max_epochs=4)
    assert module.validated == pytest.approx([8, (8 + 6) / 2, (8 + 6 + 4) / 3, 5])


@pytest.mark.parametrize(("epochs", "start", "first"), [(100, 0.29, 29), (10, 0.75, 7), (4, 0.5, 2), (3, 0.9, 2)])
def test_the_first_epoch_is_the_share_that_is_given(epochs: int, start: float, first: int) -> None:
    trainer = pl.Trainer(**QUIET, max_epochs=epochs, enable_checkpointing=False)
    assert StochasticWeightAverage(start).first_epoch(trainer) == first


def two_epochs(folder: Path) -> Path:
    """A checkpoint after two epochs of one step, which are averaged."""
    last = ModelCheckpoint(dirpath=folder, filename="two", save_on_train_epoch_end=True)
    average = StochasticWeightAverage(0.0)
    train(OneWeight(), average, 1, max_epochs=2, enable_checkpointing=True, callbacks=[last])
    return folder / "two.ckpt"


def test_a_longer_training_begins_its_mean_anew_on_paper(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # One step an epoch: 9 and 8, whose mean two epochs end with. Six go on with 7, 6, 5 and 4, and
    # begin with 6: (6 + 5) / 2, (6 + 5 + 4) / 3.
    path = two_epochs(tmp_path)
    assert content(path)["state_dict"]["weight"] == (9 + 8) / 2
    module = OneWeight()
    trainer = pl.Trainer(**QUIET, max_epochs=6, enable_checkpointing=False, callbacks=[StochasticWeightAverage(0.5)])
    trainer.fit(module, loader(1), loader(1), ckpt_path=path)
    assert module.validated == [7, 6, (6 + 5) / 2, (6 + 5 + 4) / 3]
    assert module.weight.item() == 5
    assert "the mean of this training begins with epoch 3; swa goes on from the trained ones" in caplog.text


def test_an_exponential_average_does_not_go_on_from_a_mean(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # 9, 8 and their mean; then 7, which is all of the first step, and 6.
    path = two_epochs(tmp_path)
    module = OneWeight()
    trainer = pl.Trainer(**QUIET, max_epochs=4, enable_checkpointing=False, callbacks=[WeightAverage(0.9)])
    trainer.fit(module, loader(1), loader(1), ckpt_path=path)
    assert module.validated == pytest.approx([7, 7 * 2 / 11 + 6 * 9 / 11])
    assert "averaged in another way; ema goes on from the trained ones" in caplog.text
    # With nothing left to train it has the trained weights, and not those of its beginning.
    module = OneWeight()
    trainer = pl.Trainer(**QUIET, max_epochs=2, enable_checkpointing=False, callbacks=[WeightAverage(0.9)])
    trainer.fit(module, loader(1), loader(1), ckpt_path=path)
    assert module.weight.item() == 8


def test_accumulated_steps_count_once_an_epoch() -> None:
    # Of Lightning's own modules the step of a single batch among two is half as large: 8.5, 7, 5.5 and 4.
    module = OneWeight()
    train(module, StochasticWeightAverage(0.5), batches=3, max_epochs=4, accumulate_grad_batches=2)
    assert module.weight.item() == pytest.approx((5.5 + 4) / 2)


def test_a_training_that_ends_before_says_so(caplog: pytest.LogCaptureFixture) -> None:
    module = OneWeight()
    train(module, StochasticWeightAverage(0.75), batches=2, max_epochs=4, max_steps=3)
    assert module.weight.item() == 7
    assert "swa 0.75: the training has ended before 4 epochs, so nothing was averaged" in caplog.text


class Normed(pl.LightningModule):
    """A norm between two layers, and pictures as numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)
        self.trained: list[dict[str, Tensor]] = []

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.last(self.norm(self.first(images)))
        return out

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        loss: Tensor = self(batch["image"]).square().mean()
        return loss

    def on_train_epoch_end(self) -> None:
        self.trained.append(copy.deepcopy(self.state_dict()))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_the_statistics_are_those_of_the_mean_as_torch_counts_them() -> None:
    torch.manual_seed(0)
    pictures = [{"image": torch.randn(5, 3) + 2} for _ in range(4)]
    module = Normed()
    options = {**QUIET, **FOUR, "enable_checkpointing": False}
    trainer = pl.Trainer(**options, callbacks=[StochasticWeightAverage(0.5)])
    trainer.fit(module, DataLoader(pictures, batch_size=None))  # type: ignore[arg-type]
    expected = Normed()
    two, three = module.trained[2:]
    expected.load_state_dict({name: (two[name] + three[name]) / 2 for name in two})
    update_bn([one["image"] for one in pictures], expected)
    for name, value in expected.state_dict().items():
        assert torch.allclose(value.float(), module.state_dict()[name].float(), atol=1e-6), name
    assert not torch.allclose(module.state_dict()["norm.running_mean"], three["norm.running_mean"])
    assert module.norm.momentum == 0.1


# Going on


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def whole(flowers_root: Path, saved: Path) -> pl.LightningModule:
    """Four epochs, of which the last two are averaged, never interrupted; each moment lies in ``saved``."""
    return fit(flowers_root, save_to=saved, trainer={**FOUR, "callbacks": [StochasticWeightAverage(0.5)]})


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("moment", ["batch_step=25", "batch_step=30", "validated_epoch=2", "ended_epoch=2"])
def test_every_moment_can_be_resumed(
    flowers_root: Path, saved: Path, whole: pl.LightningModule, moment: str, num_workers: int
) -> None:
    place = saved / f"{moment}_{num_workers}"
    given = {**FOUR, "callbacks": [StochasticWeightAverage(0.5)]}
    resumed = fit(flowers_root, saved / f"{moment}.ckpt", save_to=place, trainer=given, num_workers=num_workers)
    assert_same_weights(resumed, whole)
    one, two = (content(path / "ended_epoch=3.ckpt") for path in (saved, place))
    for part in ("state_dict", TRAINED, "averaging_state"):
        assert all(torch.equal(value, two[part][name]) for name, value in one[part].items())
    assert one["averaging_state"]["n_averaged"].item() == 2


def test_it_does_not_change_what_is_trained(flowers_root: Path, saved: Path, whole: pl.LightningModule) -> None:
    plain = weights_of(fit(flowers_root, trainer=dict(FOUR)))
    held = content(saved / "ended_epoch=3.ckpt")
    assert all(torch.equal(value, plain[name]) for name, value in held[TRAINED].items())
    # Until the first of its epochs has ended, a checkpoint is one without averages.
    assert TRAINED not in content(saved / "ended_epoch=1.ckpt")
    assert TRAINED not in content(saved / "batch_step=29.ckpt")
    assert TRAINED in content(saved / "batch_step=30.ckpt")
    check_checkpoint(saved / "ended_epoch=3.ckpt")
    assert_same_weights(type(whole).load_from_checkpoint(saved / "ended_epoch=3.ckpt"), whole)
    # Of the trained weights after both epochs, in their checkpoints.
    third = content(saved / "ended_epoch=2.ckpt")[TRAINED]
    mean = {name: (third[name] + held[TRAINED][name]) / 2 for name in third if name.endswith("weight")}
    assert all(torch.allclose(value, held["state_dict"][name], atol=1e-7) for name, value in mean.items())


def pets(root: Path, folder: Path, ckpt: Path | None, averages: bool = True, num_workers: int = 0) -> dict[str, Any]:
    """A network with norms."""
    pl.seed_everything(3, verbose=False)
    module = OxfordPetsDataModule(root, image_size=32, batch_size=5, num_workers=num_workers)
    task = UNetTask(num_classes=3, width=4, depth=2, schedule="swa")
    callbacks = [*([StochasticWeightAverage(0.4)] if averages else []), *checkpoints(folder)]
    trainer = pl.Trainer(**QUIET, max_epochs=3, limit_train_batches=3, callbacks=callbacks)
    trainer.fit(task, module, ckpt_path=ckpt, weights_only=True)
    return content(folder / "ended_epoch=2.ckpt")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_counting_statistics_disturbs_neither_the_training_nor_a_resume(
    pets_root: Path, tmp_path: Path, num_workers: int
) -> None:
    whole = pets(pets_root, tmp_path / "whole", None)
    plain = pets(pets_root, tmp_path / "plain", None, averages=False)
    assert all(torch.equal(value, whole[TRAINED][name]) for name, value in plain["state_dict"].items())
    norms = [name for name in plain["state_dict"] if name.endswith("running_mean")]
    assert all(not torch.allclose(whole["state_dict"][name], whole[TRAINED][name]) for name in norms)
    for moment in ("batch_step=5", "batch_step=6", "batch_step=8"):
        ckpt = tmp_path / "whole" / f"{moment}.ckpt"
        again = pets(pets_root, tmp_path / moment, ckpt, num_workers=num_workers)
        for part in ("state_dict", TRAINED):
            different = [name for name, value in whole[part].items() if not torch.equal(value, again[part][name])]
            assert different == [], moment


def test_another_way_of_averaging_is_left_behind(
    flowers_root: Path, saved: Path, whole: pl.LightningModule, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert whole.trainer.max_epochs == 4
    fit(flowers_root, save_to=tmp_path, trainer={"max_epochs": 3, "callbacks": [WeightAverage(0.9)]})
    given = {**FOUR, "callbacks": [StochasticWeightAverage(0.75)]}
    resumed = fit(flowers_root, tmp_path / "ended_epoch=2.ckpt", trainer=given, task={"schedule": "constant"})
    assert "averaged in another way; swa goes on from the trained ones" in caplog.text
    # One epoch is averaged, so it is the training without averages.
    fit(flowers_root, save_to=tmp_path / "plain", trainer={"max_epochs": 3})
    ckpt = tmp_path / "plain" / "ended_epoch=2.ckpt"
    assert_same_weights(resumed, fit(flowers_root, ckpt, trainer=dict(FOUR), task={"schedule": "constant"}))
    fit(flowers_root, saved / "ended_epoch=2.ckpt", trainer=dict(FOUR))
    assert "without --ema or --swa the training goes on from the trained ones" in caplog.text


def test_what_it_needs_is_one_line(mistake: Callable[[list[str]], str]) -> None:
    with pytest.raises(ConfigError, match=r"swa 0.5 is a share of the epochs; set --trainer\.max_epochs"):
        train(OneWeight(), StochasticWeightAverage(0.5), max_epochs=-1, max_steps=3)
    with pytest.raises(ConfigError, match=r"swa needs weights of 32 bits"):
        train(OneWeight(), StochasticWeightAverage(0.5), precision="bf16-true")
    for start in (1.0, -0.1):
        with pytest.raises(ConfigError, match=f"swa {start} is not from 0 to below 1"):
            check_start(start)
    assert "swa 2.0 is not from 0 to below 1" in mistake(["fit", "--config", "flowers", "--swa", "2"])
