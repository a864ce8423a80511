"""Measuring: where the time of a picture goes, what comes out of the loader, what goes through a network."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from lightning_seg import OxfordPetsDataModule
from lightning_seg.datasets.base import PictureDataset
from lightning_seg.doctor.advice.network import Network
from lightning_seg.doctor.advice.speed import Speed, check_speed, look_at_speed, measure_speed
from lightning_seg.doctor.advice.stages import Stages, time_stages
from lightning_seg.doctor.advice.steps import time_steps
from lightning_seg.doctor.examination import opened_subject
from lightning_seg.images import Array

SECOND = 0.02
"""Of a step that does nothing but wait."""


class SlowTask(pl.LightningModule):
    """A step takes ``SECOND`` per picture."""

    def __init__(self, class_weights: str | None = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(1, 1)
        self.seen: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.seen.append(len(batch["image"]))
        time.sleep(SECOND * len(batch["image"]))
        loss: torch.Tensor = self.layer(torch.ones(1, 1)).sum()
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def make_trainer(callbacks: Sequence[pl.Callback]) -> pl.Trainer:
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(accelerator="cpu", max_epochs=1, callbacks=list(callbacks), **quiet)  # type: ignore[arg-type]


@pytest.fixture
def pets(pets_root: Path, tmp_path: Path) -> Callable[..., OxfordPetsDataModule]:
    def make(**options: Any) -> OxfordPetsDataModule:
        given = {"image_size": 32, "batch_size": 4, "num_workers": 0, "cache_dir": tmp_path / "cache", **options}
        return OxfordPetsDataModule(pets_root, **given)

    return make


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_seg.doctor.advice.speed.SECONDS", 0.5)


def stages_of(data: OxfordPetsDataModule) -> Stages:
    data.setup("fit")
    stages = time_stages(data.datasets["train"], data.collate_fn(), data.batch_size)
    assert stages is not None
    return stages


def test_a_slow_mask_is_found_as_such(
    pets: Callable[..., OxfordPetsDataModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pets()
    data.setup("fit")
    kind = type(data.datasets["train"])
    read = kind.read_mask

    def slow(self: Any, record: Any) -> Array:
        end = time.thread_time() + SECOND
        while time.thread_time() < end:
            pass
        return read(self, record)

    monkeypatch.setattr(kind, "read_mask", slow)
    stages = stages_of(data)
    assert SECOND <= stages.mask < 2 * SECOND
    assert stages.from_files - stages.mask < stages.mask
    # What is cached needs no mask of a file.
    assert stages.from_cache is not None
    assert stages.from_cache < SECOND


def test_without_draws_they_take_no_time(pets: Callable[..., OxfordPetsDataModule]) -> None:
    assert stages_of(pets(augment=False)).augment == 0
    assert stages_of(pets(augment=True)).augment > 0


def test_pictures_of_no_common_size_have_no_cache(pets: Callable[..., OxfordPetsDataModule]) -> None:
    stages = stages_of(pets(image_size=None, batch_size=1))
    assert (stages.cached, stages.from_cache, stages.resize) == (None, None, 0.0)


def test_measuring_ends_when_its_time_is_over(
    pets: Callable[..., OxfordPetsDataModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pets()
    data.setup("fit")
    monkeypatch.setattr("lightning_seg.doctor.advice.stages.decode_image", _slow_decode)
    stages = time_stages(data.datasets["train"], data.collate_fn(), 4, seconds=3 * SECOND)
    assert stages is not None
    assert stages.files < len(data.datasets["train"])


def _slow_decode(*given: Any) -> Any:
    from lightning_seg.images import decode_image

    time.sleep(SECOND)
    return decode_image(*given)


def batch_of(number: int) -> dict[str, Any]:
    return {"image": torch.zeros(number, 3, 8, 8, dtype=torch.uint8), "path": ["a"] * number}


def test_steps_that_take_a_known_time() -> None:
    rate = time_steps(SlowTask(), batch_of(8), make_trainer, seconds=1.5)
    assert 0.5 / SECOND < rate <= 1 / SECOND


def test_steps_are_smaller_where_a_batch_would_take_too_long() -> None:
    task = SlowTask()
    start = time.perf_counter()
    time_steps(task, batch_of(1000), make_trainer, seconds=1.0)
    # A whole batch would take 20 s.
    assert max(task.seen) < 50
    assert time.perf_counter() - start < 15


def test_a_single_picture_is_a_batch_too() -> None:
    assert time_steps(SlowTask(), batch_of(1), make_trainer, seconds=0.3) > 0


def test_classes_are_not_counted_to_measure_the_time() -> None:
    task = SlowTask(class_weights="auto")
    time_steps(task, batch_of(2), make_trainer, seconds=0.1)
    assert task.hparams["class_weights"] is None


def speed_of(data: OxfordPetsDataModule, network: Network | None = None) -> Speed:
    with opened_subject(data) as (subject, _):
        speed = measure_speed(subject, data, network)
    assert speed is not None
    return speed


@pytest.mark.parametrize("num_workers", [0, 2])
def test_pictures_come_out_of_the_loader(pets: Callable[..., OxfordPetsDataModule], num_workers: int) -> None:
    speed = speed_of(pets(num_workers=num_workers))
    assert (speed.num_workers, speed.is_cached, speed.later) == (num_workers, False, None)
    assert speed.loading > 0
    assert (speed.training, speed.waiting, speed.together) == (None, 0, speed.loading)
    assert list(check_speed(speed)) == []


def test_a_slow_loader_is_found_beside_a_fast_network(
    pets: Callable[..., OxfordPetsDataModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = PictureDataset.read

    def slow(self: Any, record: Any) -> Any:
        time.sleep(10 * SECOND)
        return read(self, record)

    monkeypatch.setattr(PictureDataset, "read", slow)
    network = Network(SlowTask(), make_trainer)
    speed = speed_of(pets(), network)
    # Ten times as long as a step, per picture, one after the other.
    assert speed.loading < 1 / (10 * SECOND)
    assert speed.waiting > 0.8
    (finding,) = check_speed(speed)
    assert finding.kind.name == "slow-loading"
    assert finding.figures["loading"] == speed.loading


def test_no_cache_is_filled_and_what_it_will_give_is_told(
    pets: Callable[..., OxfordPetsDataModule], tmp_path: Path
) -> None:
    speed = speed_of(pets(cache="disk"))
    assert not speed.is_cached
    assert speed.later is not None
    assert speed.later > speed.loading
    assert not list((tmp_path / "cache").rglob("images*"))


def test_a_cache_that_is_there_is_read_from(pets: Callable[..., OxfordPetsDataModule]) -> None:
    data = pets(cache="disk")
    data.setup("fit")
    data.open_cache()
    speed = speed_of(pets(cache="disk"))
    assert (speed.is_cached, speed.later) == (True, None)
    assert all("cache" not in one.text for one in speed.advice)


def test_pictures_that_cannot_be_read_do_not_end_it(pets_copy: Path, tmp_path: Path) -> None:
    data = OxfordPetsDataModule(pets_copy, image_size=32, batch_size=4, num_workers=0, cache_dir=tmp_path / "cache")
    data.setup("fit")
    Path(data.pictures_of("train")[0]).write_bytes(b"")
    whole = len(data.datasets["train"])
    assert speed_of(data).pictures == whole - 1


def test_what_would_end_the_first_epoch_is_found(pets: Callable[..., OxfordPetsDataModule]) -> None:
    # Pictures of several sizes do not fit into one batch.
    with opened_subject(data := pets(image_size=None)) as (subject, _):
        speed, findings = look_at_speed(subject, data)
    assert speed is None
    assert [finding.kind.name for finding in findings] == ["first-step-fails"]
    assert findings[0].detail.startswith("pictures of one batch differ in size")
    assert "\n" not in findings[0].detail


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_step_that_fails_is_found(
    pets: Callable[..., OxfordPetsDataModule], monkeypatch: pytest.MonkeyPatch, num_workers: int
) -> None:
    def fail(*given: Any) -> None:
        raise RuntimeError("no memory\nis left")

    monkeypatch.setattr(SlowTask, "training_step", fail)
    with opened_subject(data := pets(num_workers=num_workers)) as (subject, _):
        speed, findings = look_at_speed(subject, data, Network(SlowTask(), make_trainer))
    assert speed is None
    assert findings[0].detail == "no memory is left"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_steps_of_a_card_are_waited_for() -> None:
    class Multiplying(SlowTask):
        """Products of 137 GFLOP, which no card does in a microsecond, and which returns at once."""

        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            product = torch.ones(4096, 4096, device=self.device)
            for _ in range(len(batch["image"])):
                product = product @ product / 4096
            loss: torch.Tensor = self.layer(torch.ones(1, 1, device=self.device)).sum() + 0 * product.mean()
            return loss

    def on_card(callbacks: Sequence[pl.Callback]) -> pl.Trainer:
        return pl.Trainer(accelerator="gpu", devices=1, max_epochs=1, callbacks=list(callbacks), logger=False)

    # 137 GFLOP each; a card that did 10,000 of them in a second would do 1,370 TFLOP/s in float32.
    assert time_steps(Multiplying(), batch_of(8), on_card, seconds=2.0) < 10_000
