"""How many loader processes there are where no number is given."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lightning_seg.datamodules import workers
from lightning_seg.datamodules.oxford_pets import OxfordPetsDataModule
from lightning_seg.datamodules.workers import Place, choose_num_workers, more_workers, place_of


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the number of cores, and whether there is a CUDA device."""

    def set_machine(cores: int, has_cuda: bool) -> None:
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
        monkeypatch.setattr(workers, "usable_cores", lambda: cores)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)

    return set_machine


def trainer(num_devices: int, device: str) -> Any:
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(num_devices=num_devices, strategy=strategy)


@pytest.mark.parametrize(
    ("cores", "cached", "decoding"), [(1, 0, 0), (2, 0, 1), (3, 1, 1), (8, 1, 2), (16, 1, 4), (64, 4, 16)]
)
def test_where_cores_compute_few_load(cores: int, cached: int, decoding: int) -> None:
    assert choose_num_workers(True, Place(cores, computes=True)) == cached
    assert choose_num_workers(False, Place(cores, computes=True)) == decoding


@pytest.mark.parametrize(("cores", "cached", "decoding"), [(1, 0, 0), (2, 1, 1), (8, 7, 7), (16, 8, 15), (64, 8, 16)])
def test_beside_a_card_all_other_cores_load(cores: int, cached: int, decoding: int) -> None:
    assert choose_num_workers(True, Place(cores, computes=False)) == cached
    assert choose_num_workers(False, Place(cores, computes=False)) == decoding


@pytest.mark.parametrize("has_cuda", [False, True])
def test_without_a_trainer_torch_and_torchrun_tell(
    machine: Any, monkeypatch: pytest.MonkeyPatch, has_cuda: bool
) -> None:
    machine(8, has_cuda)
    assert place_of() == Place(8, computes=not has_cuda)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert place_of() == Place(2, computes=not has_cuda)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert place_of() == Place(1, computes=not has_cuda)


@pytest.mark.parametrize(("device", "computes"), [("cpu", True), ("cuda:1", False)])
def test_a_trainer_tells_its_devices_and_shares_the_cores_among_them(
    machine: Any, monkeypatch: pytest.MonkeyPatch, device: str, computes: bool
) -> None:
    machine(8, has_cuda=True)
    assert place_of(trainer(2, device)) == Place(4, computes)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert place_of(trainer(1, device)) == Place(2, computes)


def test_a_datamodule_asks_when_its_loaders_are_made(machine: Any, pets_root: Path) -> None:
    machine(16, has_cuda=True)
    data = OxfordPetsDataModule(pets_root, image_size=32, cache=True)
    assert data.num_workers == 8
    data.trainer = trainer(4, "cuda:0")
    data.setup("fit")
    assert data.train_dataloader().num_workers == data.val_dataloader().num_workers == 3
    data.trainer = trainer(2, "cpu")
    assert data.train_dataloader().num_workers == 1
    data.num_workers = 5
    assert data.num_workers == data.train_dataloader().num_workers == 5


def test_test_pictures_are_decoded_whatever_is_cached(machine: Any, pets_root: Path) -> None:
    machine(8, has_cuda=False)
    data = OxfordPetsDataModule(pets_root, image_size=32, cache=True)
    data.setup("test")
    assert data.num_workers == 1
    assert data.test_dataloader().num_workers == data.predict_dataloader().num_workers == 2


def test_a_given_number_holds_for_all_loaders(machine: Any, pets_root: Path) -> None:
    machine(8, has_cuda=False)
    data = OxfordPetsDataModule(pets_root, image_size=32, num_workers=0)
    data.setup("test")
    assert data.num_workers == data.test_dataloader().num_workers == data.predict_dataloader().num_workers == 0


@pytest.mark.parametrize(
    ("place", "now", "more"),
    [
        (Place(2, computes=True), 0, 1),
        (Place(2, computes=True), 1, 2),
        (Place(2, computes=True), 2, None),
        (Place(8, computes=False), 3, 7),
        (Place(8, computes=False), 7, None),
    ],
)
def test_more_are_given_as_long_as_cores_are_idle(place: Place, now: int, more: int | None) -> None:
    assert more_workers(now, place) == more


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ({"cache": False, "num_workers": 0}, "--data.cache true, which decodes each picture once"),
        ({"cache": True, "num_workers": 0}, "--data.num_workers 1 in place of 0, since cores are idle"),
        ({"cache": False, "image_size": None, "batch_size": 1, "num_workers": 2}, "smaller picture files"),
        ({"cache": True, "num_workers": 2}, "a pipeline of fewer transforms (--data.augment)"),
    ],
)
def test_the_remedy_is_what_is_left_to_do(machine: Any, pets_root: Path, given: dict[str, Any], remedy: str) -> None:
    machine(2, has_cuda=False)
    assert OxfordPetsDataModule(pets_root, **given).faster_loading() == remedy
