"""Random draws and their order depend on (seed, epoch, index) and on nothing else."""

import hashlib
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_seg import OxfordPetsDataModule
from lightning_seg.augmentation.seeding import EvalSampler, TrainSampler, draw_seed
from lightning_seg.batch import SegmentationBatch

Draws = dict[tuple[int, int], str]


def digest(batch: SegmentationBatch) -> Draws:
    """A hash of image and mask by (epoch, index)."""
    keys = zip(batch["epoch"].tolist(), batch["index"].tolist(), strict=True)
    pictures = zip(batch["image"], batch["mask"], strict=True)
    return {
        key: hashlib.sha1(image.numpy().tobytes() + mask.numpy().tobytes()).hexdigest()
        for key, (image, mask) in zip(keys, pictures, strict=True)
    }


def make_data(root: Path, **arguments: Any) -> OxfordPetsDataModule:
    given = {"image_size": 64, "batch_size": 4, "num_workers": 0, "augment": "flip_rotate_colour", **arguments}
    return OxfordPetsDataModule(root, **given)


def draws_of(root: Path, epochs: int = 2, **arguments: Any) -> Draws:
    data = make_data(root, **arguments)
    data.setup("fit")
    loader = data.train_dataloader()
    assert isinstance(loader.sampler, TrainSampler)
    draws: Draws = {}
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            draws |= digest(batch)
    return draws


def assert_same(draws: Draws, others: Draws, other_batches: bool = False) -> None:
    # Batches of another size leave other pictures out at the end of an epoch.
    shared = draws.keys() & others.keys()
    assert len(shared) >= (0.6 if other_batches else 1.0) * max(len(draws), len(others))
    assert {key: draws[key] for key in shared} == {key: others[key] for key in shared}


@pytest.fixture(scope="module")
def reference(pets_root: Path) -> Draws:
    return draws_of(pets_root)


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_workers": 2},
        {"num_workers": 3},
        {"num_workers": 2, "persistent_workers": False},
        {"num_workers": 2, "start_method": "spawn"},
        {"num_workers": 2, "start_method": "fork"},
        {"batch_size": 7},
        {"batch_size": 7, "num_workers": 2},
        {"cache": True},
        {"cache": True, "num_workers": 2},
        {"cache": True, "num_workers": 2, "start_method": "spawn"},
    ],
    ids=str,
)
def test_draws_do_not_depend_on_how_they_are_loaded(
    pets_root: Path, reference: Draws, arguments: dict[str, Any]
) -> None:
    if arguments.get("start_method") not in (None, *multiprocessing.get_all_start_methods()):
        pytest.skip(f"{arguments['start_method']} does not exist on this system")
    assert_same(reference, draws_of(pets_root, **arguments), other_batches="batch_size" in arguments)


def test_every_epoch_and_every_seed_draws_anew(pets_root: Path, reference: Draws) -> None:
    second = {index: digest for (epoch, index), digest in reference.items() if epoch == 1}
    changed = [reference[0, index] != digest for index, digest in second.items() if (0, index) in reference]
    assert len(changed) >= 10
    assert all(changed)
    other = draws_of(pets_root, epochs=1, seed=1, val_fraction=0.25)
    same_split = draws_of(pets_root, epochs=1, seed=0, val_fraction=0.25)
    assert not set(other.values()) & set(same_split.values())


class Recorder(pl.LightningModule):
    """Trains a single number and notes every picture that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.draws: Draws = {}

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        self.draws |= digest(batch)
        return self.weight * batch["image"].float().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(root: Path, folder: Path, epochs: int, ckpt_path: Path | None = None) -> tuple[Draws, Path]:
    module = Recorder()
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=folder,
    )
    trainer.fit(module, make_data(root), ckpt_path=ckpt_path)
    saved = folder / f"epoch_{epochs}.ckpt"
    trainer.save_checkpoint(saved)
    return module.draws, saved


def test_a_trainer_sees_the_same_draws_also_after_a_resume(pets_root: Path, reference: Draws, tmp_path: Path) -> None:
    whole, _ = fit(pets_root, tmp_path, epochs=2)
    assert whole == reference
    first, saved = fit(pets_root, tmp_path, epochs=1)
    second, _ = fit(pets_root, tmp_path, epochs=2, ckpt_path=saved)
    assert {epoch for epoch, _ in second} == {1}
    assert {**first, **second} == whole


def test_the_order_depends_on_seed_and_epoch() -> None:
    data: Any = range(100)

    def order(seed: int, epoch: int) -> list[tuple[int, int]]:
        sampler = TrainSampler(data, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert order(0, 3) == order(0, 3)
    assert [index for _, index in order(0, 0)] != [index for _, index in order(0, 1)]
    assert order(0, 0) != order(1, 0)
    assert sorted(order(0, 5)) == [(5, index) for index in range(100)]


def test_draw_seeds_do_not_collide_where_their_sums_do() -> None:
    seeds = {draw_seed(seed, epoch, index) for seed in range(5) for epoch in range(20) for index in range(50)}
    assert len(seeds) == 5 * 20 * 50


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_evaluation_sees_every_sample_once_over_all_processes(processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data: Any = range(7)
    seen: list[int] = []
    for rank in range(processes):
        sampler = EvalSampler(data)
        sampler.rank, sampler.num_replicas = rank, processes
        assert len(sampler) == len(list(sampler))
        seen += list(sampler)
    assert sorted(seen) == list(range(7))
