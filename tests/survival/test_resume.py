"""A resumed training is the one that was never interrupted: its pictures, draws, rates and weights."""

import math
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint, StochasticWeightAveraging

from lightning_seg import MobileNetV2UNetTask, OxfordPetsDataModule
from lightning_seg.augmentation.seeding import TrainSampler
from lightning_seg.runs import training_done
from tests.survival.resuming import Witness, assert_same_weights, fit, make_data, make_task

PICTURES, STEPS = 20, 10
"""Of an epoch: 2 pictures in a batch."""


@pytest.fixture(scope="module")
def root(flowers_root: Path) -> Path:
    return flowers_root


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(scope="module")
def whole(root: Path, saved: Path) -> Witness:
    """Never interrupted; what it was at each moment lies in ``saved``."""
    return fit(root, save_to=saved)


def assert_is_rest(resumed: Witness, whole: Witness, steps_done: int) -> None:
    assert resumed.seen == whole.seen[2 * steps_done :]
    assert resumed.rates == whole.rates[steps_done:]
    assert_same_weights(resumed, whole)


def test_the_uninterrupted_training_sees_every_picture_once_an_epoch(whole: Witness) -> None:
    for epoch in (0, 1):
        assert sorted(index for seen, index, _ in whole.seen if seen == epoch) == list(range(PICTURES))


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    ("checkpoint", "steps_done"),
    [
        ("batch_step=1", 1),
        ("batch_step=7", 7),
        # The last batch: validation and the end of the epoch are still to come.
        ("batch_step=10", STEPS),
        ("validated_epoch=0", STEPS),
        ("ended_epoch=0", STEPS),
        ("batch_step=11", 11),
        ("batch_step=19", 19),
    ],
)
def test_every_moment_can_be_resumed(
    root: Path, saved: Path, whole: Witness, checkpoint: str, steps_done: int, num_workers: int
) -> None:
    assert_is_rest(fit(root, saved / f"{checkpoint}.ckpt", num_workers=num_workers), whole, steps_done)


@pytest.mark.parametrize("checkpoint", ["ended_epoch=0", pytest.param("batch_step=7", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "loading",
    [
        {"num_workers": 1},
        {"num_workers": 3},
        {"num_workers": 2, "persistent_workers": False},
        {"num_workers": 2, "start_method": "fork"},
        pytest.param({"num_workers": 2, "start_method": "spawn"}, marks=pytest.mark.slow),
        pytest.param({"num_workers": 2, "start_method": "forkserver"}, marks=pytest.mark.slow),
        {"num_workers": 2, "cache": True},
    ],
    ids=str,
)
def test_resuming_does_not_depend_on_the_loader_processes(
    root: Path, saved: Path, whole: Witness, checkpoint: str, loading: dict[str, Any]
) -> None:
    steps = {"batch_step=7": 7, "ended_epoch=0": STEPS}[checkpoint]
    assert_is_rest(fit(root, saved / f"{checkpoint}.ckpt", **loading), whole, steps)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_loader_without_its_datamodule_is_resumed(root: Path, saved: Path, whole: Witness, num_workers: int) -> None:
    data = make_data(root, num_workers=num_workers)
    data.setup("fit")
    task = make_task()
    trainer = pl.Trainer(max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, barebones=False)
    trainer.fit(task, data.train_dataloader(), ckpt_path=saved / "ended_epoch=0.ckpt", weights_only=True)
    assert task.seen == whole.seen[PICTURES:]


@pytest.mark.parametrize(
    ("moment", "steps_done"), [("batch_step=7", 7), ("batch_step=10", 10), ("validated_epoch=0", 10)]
)
def test_a_checkpoint_of_before_tells_no_position(
    root: Path, saved: Path, whole: Witness, tmp_path: Path, moment: str, steps_done: int
) -> None:
    content = torch.load(saved / f"{moment}.ckpt", weights_only=True)
    content["loops"]["fit_loop"]["state_dict"].pop("combined_loader")
    for name in ("seed", "counted", "batch_size"):
        content["lightning_seg"].pop(name)
    torch.save(content, tmp_path / "old.ckpt")
    assert_is_rest(fit(root, tmp_path / "old.ckpt", num_workers=2), whole, steps_done)


@pytest.mark.parametrize("moment", ["batch_step=7", "batch_step=10", "ended_epoch=0"])
def test_the_metrics_of_an_interrupted_epoch_are_of_all_its_pictures(
    root: Path, saved: Path, whole: Witness, moment: str
) -> None:
    assert whole.seen
    logged: list[dict[str, float]] = []

    class Log(pl.Callback):
        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            found = {name: trainer.callback_metrics[name].item() for name in ("val/loss", "val/accuracy")}
            assert isinstance(pl_module, Witness)
            loss: Any = pl_module.losses_of("train")["cross_entropy"]
            logged.append({**found, "train": loss.compute()})

    fit(root, trainer={"callbacks": [Log()]})
    complete = list(logged)
    logged.clear()
    fit(root, saved / f"{moment}.ckpt", trainer={"callbacks": [Log()]})
    assert logged == complete[1 if moment == "ended_epoch=0" else 0 :]


class LogTraining(pl.Callback):
    """What the training metrics of each epoch are."""

    def __init__(self) -> None:
        self.values: list[tuple[float, float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Witness)
        loss: Any = pl_module.losses_of("train")["cross_entropy"]
        self.values.append((loss.compute(), float(loss.pictures)))


@pytest.mark.parametrize(("batch", "new_size"), [(7, 2), (8, 2), (5, 1)])
def test_pictures_that_are_seen_again_count_once(root: Path, tmp_path: Path, batch: int, new_size: int) -> None:
    path, log = tmp_path / "middle.ckpt", LogTraining()
    accumulating = {"accumulate_grad_batches": 3}
    fit(root, trainer={**accumulating, "callbacks": [SaveAt(batch, path), log]})
    again = LogTraining()
    fit(root, path, batch_size=new_size, trainer={**accumulating, "callbacks": [again]})
    assert [pictures for _, pictures in again.values] == [PICTURES, PICTURES]
    if new_size == 2:
        assert again.values == log.values


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_epoch_that_steps_have_cut_off_goes_on_when_there_are_to_be_more(
    root: Path, tmp_path: Path, num_workers: int
) -> None:
    steady, log, again = {"schedule": "constant"}, LogTraining(), LogTraining()
    whole = fit(root, task=steady, trainer={"max_epochs": -1, "max_steps": 25, "callbacks": [log]})
    fit(root, save_to=tmp_path, task=steady, trainer={"max_epochs": -1, "max_steps": 16})
    cut_off = tmp_path / "ended_epoch=1.ckpt"
    assert training_done(cut_off) == "1 epochs and 6 batches"
    more = {"max_epochs": -1, "max_steps": 25, "callbacks": [again]}
    assert_is_rest(fit(root, cut_off, num_workers=num_workers, task=steady, trainer=more), whole, 16)
    # The second epoch's are of all of its pictures, the third one's of half of them.
    assert again.values == log.values[1:]


def test_so_does_one_that_an_early_stop_has_cut_off(root: Path, tmp_path: Path) -> None:
    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
            trainer.should_stop = trainer.global_step == 13

    whole = fit(root)
    fit(root, save_to=tmp_path, trainer={"callbacks": [Stop()]})
    assert_is_rest(fit(root, tmp_path / "ended_epoch=1.ckpt"), whole, 13)


def test_another_batch_size_goes_on_with_the_pictures_that_were_not_seen(
    root: Path, saved: Path, whole: Witness
) -> None:
    # 14 of 20 pictures were seen, then come batches of 5: a whole one, while an epoch has four.
    resumed = fit(root, saved / "batch_step=7.ckpt", batch_size=5)
    first, second = ([seen for seen in resumed.seen if seen[0] == epoch] for epoch in (0, 1))
    assert first == whole.seen[14:19]
    assert len(second) == 20


class SaveAt(pl.Callback):
    """After so many batches, whether a step was made or not."""

    def __init__(self, batch: int, path: Path) -> None:
        self.batch, self.path = batch, path

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == self.batch:
            trainer.save_checkpoint(self.path)


@pytest.mark.parametrize(("batch", "again_from"), [(6, 6), (7, 6), (8, 6), (10, 10), (14, 13)])
def test_gradients_that_no_step_has_used_are_made_again(
    root: Path, tmp_path: Path, batch: int, again_from: int
) -> None:
    """Steps are made after 3, 6 and 9 batches of an epoch and after its last one."""
    path = tmp_path / "middle.ckpt"
    accumulating = {"accumulate_grad_batches": 3}
    whole = fit(root, trainer={**accumulating, "callbacks": [SaveAt(batch, path)]})
    assert_is_rest(fit(root, path, num_workers=2, trainer=dict(accumulating)), whole, again_from)


def test_so_are_they_where_a_validation_stands_in_between(root: Path, tmp_path: Path) -> None:
    options = {"accumulate_grad_batches": 2, "val_check_interval": 3}
    whole = fit(root, save_to=tmp_path, trainer=dict(options))
    # Saved after 3 and after 9 batches of an epoch, of which 2 and 8 have changed the weights.
    for path in tmp_path.glob("validated*.ckpt"):
        resumed = fit(root, path, trainer=dict(options))
        assert_is_rest(resumed, whole, 20 - len(resumed.rates))


class FailIn(pl.Callback):
    """In a batch of the first validation."""

    def on_validation_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        if args[2] == 1 and trainer.current_epoch == 0:
            raise RuntimeError("no power")


def test_a_validation_that_was_interrupted_is_made_as_a_whole(root: Path, tmp_path: Path) -> None:
    values: list[float] = []

    class Log(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            values.append(trainer.callback_metrics["val/loss"].item())

    whole = fit(root, trainer={"callbacks": [Log()]})
    expected = list(values)
    values.clear()
    save = ModelCheckpoint(tmp_path, "stopped", save_on_exception=True)
    with pytest.raises(RuntimeError, match="no power"):
        fit(root, trainer={"callbacks": [FailIn(), save], "enable_checkpointing": True})
    (path,) = tmp_path.glob("*.ckpt")
    assert_is_rest(fit(root, path, trainer={"callbacks": [Log()]}), whole, STEPS)
    assert values == expected


def test_the_same_few_batches_are_gone_on_with(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "middle.ckpt"
    few = {"overfit_batches": 3}
    whole = fit(root, trainer={**few, "callbacks": [SaveAt(2, path)]})
    resumed = fit(root, path, trainer=dict(few))
    assert resumed.seen == whole.seen[4:]
    assert_same_weights(resumed, whole)


def test_setting_the_epoch_by_hand_counts_until_the_first_batch(root: Path) -> None:
    data = make_data(root, num_workers=2)
    data.setup("fit")
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, TrainSampler)
    batches = iter(loader)
    loader.sampler.set_epoch(5)
    assert {epoch for batch in batches for epoch in batch["epoch"].tolist()} == {5}


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 3)])
def test_the_rest_of_an_epoch_is_shared_by_any_number_of_processes(before: int, after: int) -> None:
    data: Any = range(25)

    def shares(processes: int, start: int) -> list[list[int]]:
        found = []
        for rank in range(processes):
            sampler = TrainSampler(data, seed=3)
            sampler.num_replicas, sampler.rank, sampler.start = processes, rank, start
            found.append([index for _, index in sampler])
        return found

    first = [index for share in shares(before, 0) for index in share[:4]]
    rest = shares(after, len(first))
    assert len({len(share) for share in rest}) == 1
    assert sorted({*first, *(index for share in rest for index in share)}) == list(range(25))
    # As many are repeated as make the shares equal.
    left = 25 - len(first)
    assert sum(map(len, rest)) == math.ceil(left / after) * after


def test_a_sampler_that_starts_at_the_beginning_is_torchs_own() -> None:
    data: Any = range(11)
    for rank in (0, 1):
        own = TrainSampler(data, seed=3)
        torchs: Any = torch.utils.data.DistributedSampler(data, num_replicas=2, rank=rank, seed=own.seed)
        own.num_replicas, own.rank = 2, rank
        for epoch in (0, 4):
            own.set_epoch(epoch)
            torchs.set_epoch(epoch)
            assert [index for _, index in own] == list(torchs)


def test_an_encoder_that_was_unfrozen_stays_so_in_the_middle_of_an_epoch(pets_root: Path, tmp_path: Path) -> None:
    def train(ckpt_path: Path | None = None) -> pl.LightningModule:
        pl.seed_everything(0, verbose=False)
        task = MobileNetV2UNetTask(num_classes=3, encoder_weights=None, freeze_encoder=True, unfreeze_epoch=1)
        save = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=3, save_top_k=-1)
        trainer = pl.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, limit_val_batches=0, limit_train_batches=2, callbacks=[save]
        )
        data = OxfordPetsDataModule(pets_root, image_size=32, batch_size=4, num_workers=0)
        trainer.fit(task, data, ckpt_path=ckpt_path, weights_only=True)
        return task

    whole = train()
    assert_same_weights(train(tmp_path / "step=3.ckpt"), whole)


FALLING = {"schedule": "poly", "schedule_options": {"power": 1.0}, "optimizer": "SGD", "lr": 1.0}
"""The rate is the share of the training that is still to come."""


def falling(per_epoch: int, epochs: float, max_epochs: int) -> list[float]:
    """The rates of the rest of a training, by hand."""
    total = per_epoch * max_epochs
    return [1 - step / total for step in range(round(per_epoch * epochs), total)]


@pytest.mark.parametrize(
    ("change", "per_epoch"),
    [
        ({"batch_size": 4}, 5),
        ({"batch_size": 1}, 20),
        ({"trainer": {"accumulate_grad_batches": 2}}, 5),
        # The last step of an epoch is of a single batch.
        ({"trainer": {"accumulate_grad_batches": 3}}, 4),
        ({"trainer": {"limit_train_batches": 4}}, 4),
        # 15 pictures to train on.
        ({"val_fraction": 0.5}, 7),
        ({"val_fraction": 0.5, "num_workers": 2}, 7),
    ],
    ids=str,
)
@pytest.mark.parametrize("max_epochs", [2, 4])
def test_a_schedule_follows_the_share_of_the_training_that_is_done(
    root: Path, tmp_path: Path, change: dict[str, Any], per_epoch: int, max_epochs: int
) -> None:
    fit(root, save_to=tmp_path, task=FALLING)
    options = {**change, "trainer": {**change.get("trainer", {}), "max_epochs": max_epochs}}
    resumed = fit(root, tmp_path / "ended_epoch=0.ckpt", task=FALLING, **options)
    accumulated = options["trainer"].get("accumulate_grad_batches", 1)
    batches = len(resumed.rates) // (max_epochs - 1)
    epochs = [resumed.rates[start : start + batches] for start in range(0, len(resumed.rates), batches)]
    steps = [rate for epoch in epochs for rate in epoch[::accumulated]]
    assert steps == pytest.approx(falling(per_epoch, 1, max_epochs))


def test_a_schedule_follows_the_share_also_from_the_middle_of_an_epoch(root: Path, tmp_path: Path) -> None:
    fit(root, save_to=tmp_path, task=FALLING)
    # Half of the second of two epochs.
    resumed = fit(root, tmp_path / "batch_step=15.ckpt", task=FALLING, batch_size=1)
    assert resumed.rates == pytest.approx([0.25 - step / 40 for step in range(10)])


def test_where_steps_end_the_training_steps_are_steps(root: Path, tmp_path: Path) -> None:
    steps = {"max_epochs": -1, "max_steps": 16}
    fit(root, save_to=tmp_path, task=FALLING, trainer=steps)
    resumed = fit(root, tmp_path / "ended_epoch=0.ckpt", task=FALLING, batch_size=4, trainer=steps)
    assert resumed.rates == pytest.approx([1 - step / 16 for step in range(10, 16)])


@pytest.mark.parametrize(
    "moment", ["batch_step=7", "batch_step=10", "validated_epoch=0", "ended_epoch=0", "batch_step=12"]
)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_training_of_so_many_steps_can_be_resumed(root: Path, tmp_path: Path, moment: str, num_workers: int) -> None:
    steps = {"max_epochs": -1, "max_steps": 25}
    whole = fit(root, save_to=tmp_path, trainer=steps)
    done = {"validated_epoch=0": 10, "ended_epoch=0": 10}.get(moment) or int(moment.partition("=")[2])
    assert_is_rest(fit(root, tmp_path / f"{moment}.ckpt", trainer=steps, num_workers=num_workers), whole, done)


def test_schedules_of_torch_count_steps_and_say_so(
    root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    halving = {"schedule": "StepLR", "schedule_options": {"step_size": 5, "gamma": 0.5}, "lr": 1.0, "optimizer": "SGD"}
    fit(root, save_to=tmp_path, task=halving)
    caplog.clear()
    resumed = fit(root, tmp_path / "ended_epoch=0.ckpt", task=halving, batch_size=4)
    assert resumed.rates == [0.25] * 5
    assert [message for message in caplog.messages if message.startswith("StepLR counts steps: 10 were done")]
    caplog.clear()
    fit(root, tmp_path / "ended_epoch=0.ckpt", task=halving)
    assert not [message for message in caplog.messages if "counts steps" in message]


def averaging() -> list[pl.Callback]:
    return [StochasticWeightAveraging(swa_lrs=0.01, swa_epoch_start=2, annealing_epochs=2)]


@pytest.mark.parametrize("moment", ["ended_epoch=0", "ended_epoch=2", "batch_step=25", "batch_step=33"])
def test_averaging_goes_on_with_the_averages_it_had(root: Path, tmp_path: Path, moment: str) -> None:
    whole = fit(root, save_to=tmp_path, trainer={"max_epochs": 4, "callbacks": averaging()})
    resumed = fit(root, tmp_path / f"{moment}.ckpt", trainer={"max_epochs": 4, "callbacks": averaging()})
    assert_is_rest(resumed, whole, 40 - len(resumed.rates))


def test_a_typed_rate_does_not_end_an_averaged_run(root: Path, tmp_path: Path) -> None:
    fit(root, save_to=tmp_path, trainer={"max_epochs": 4, "callbacks": averaging()})
    again = {"max_epochs": 4, "callbacks": averaging()}
    resumed = fit(root, tmp_path / "ended_epoch=2.ckpt", task={"lr": 1e-4}, trainer=again)
    assert resumed.rates == [0.01] * 10
