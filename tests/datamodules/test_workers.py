"""How many loader processes there are where no number is given."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lightning_seg.datamodules import workers
from lightning_seg.datamodules.oxford_pets import OxfordPetsDataModule
from lightning_seg.datamodules.workers import choose_num_workers, more_workers, processes_here


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the number of cores, and whether there is a CUDA device."""

    def set_machine(cores: int, has_cuda: bool) -> None:
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
        monkeypatch.setattr(workers, "usable_cores", lambda: cores)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)

    return set_machine


@pytest.mark.parametrize(
    ("cores", "cached", "decoding"), [(1, 0, 0), (2, 0, 1), (3, 1, 1), (8, 1, 2), (16, 1, 4), (64, 4, 16)]
)
def test_where_cores_compute_few_load(machine: Any, cores: int, cached: int, decoding: int) -> None:
    machine(cores, has_cuda=False)
    assert choose_num_workers(is_cached=True) == cached
    assert choose_num_workers(is_cached=False) == decoding


@pytest.mark.parametrize(
    ("cores", "processes", "cached", "decoding"),
    [(1, 1, 0, 0), (2, 1, 1, 1), (8, 1, 7, 7), (16, 1, 8, 15), (64, 1, 8, 16), (16, 4, 3, 3), (4, 8, 0, 0)],
)
def test_beside_a_card_all_other_cores_load(
    machine: Any, cores: int, processes: int, cached: int, decoding: int
) -> None:
    machine(cores, has_cuda=True)
    assert choose_num_workers(is_cached=True, num_processes=processes) == cached
    assert choose_num_workers(is_cached=False, num_processes=processes) == decoding


def test_processes_are_what_the_trainer_or_torchrun_says(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(8, has_cuda=False)
    assert processes_here() == 1
    assert processes_here(SimpleNamespace(num_devices=2)) == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert processes_here() == 4


def test_a_datamodule_shares_the_cores_with_the_other_devices_of_its_trainer(machine: Any, pets_root: Path) -> None:
    machine(16, has_cuda=True)
    data = OxfordPetsDataModule(pets_root, cache=True)
    assert data.num_workers == 8
    data.trainer = SimpleNamespace(num_devices=4)  # type: ignore[assignment]
    assert data.num_workers == 3
    data.num_workers = 5
    assert data.num_workers == 5
    assert OxfordPetsDataModule(pets_root, num_workers=0).num_workers == 0


@pytest.mark.parametrize(
    ("cores", "has_cuda", "now", "more"),
    [(2, False, 0, 1), (2, False, 1, 2), (2, False, 2, None), (8, True, 3, 7), (8, True, 7, None)],
)
def test_more_are_given_as_long_as_cores_are_idle(
    machine: Any, cores: int, has_cuda: bool, now: int, more: int | None
) -> None:
    machine(cores, has_cuda)
    assert more_workers(now) == more


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
