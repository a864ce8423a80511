"""Batches arrive from loader processes as they were collated, whatever is in them."""

import pickle
from collections.abc import Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from lightning_seg import FlowersDataModule
from lightning_seg.batch import Unreadable
from lightning_seg.datamodules.parcels import SMALL, Parcel, Parcels

LARGE = SMALL // 4 + 1


class Numbers(Dataset[int]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        return index


def all_kinds(samples: Sequence[int]) -> dict[str, Any]:
    first = samples[0]
    return {
        "image": torch.full((LARGE,), first, dtype=torch.float32),
        "label": torch.tensor(samples),
        "scalar": torch.tensor(first),
        "empty": torch.empty(0, 4),
        "turned": torch.arange(6).view(2, 3).T,
        "bfloat": torch.ones(2, dtype=torch.bfloat16),
        "boxes": [torch.full((number, 4), float(number)) for number in samples],
        "sizes": [(number, number + 1) for number in samples],
        "unreadable": [Unreadable("a.jpg", "cut")],
        "path": [str(number) for number in samples],
    }


def as_plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.dtype, tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return {key: as_plain(one) for key, one in value.items()}
    return [as_plain(one) for one in value] if type(value) in (list, tuple) else value


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_kind_of_value_arrives(workers: int, method: str) -> None:
    context = method if workers else None
    loader = DataLoader(
        Numbers(), 2, num_workers=workers, collate_fn=Parcels(all_kinds), multiprocessing_context=context
    )
    batches = list(loader)
    assert [as_plain(batch) for batch in batches] == [as_plain(all_kinds([one, one + 1])) for one in (0, 2, 4, 6)]
    assert type(batches[0]["unreadable"][0]) is Unreadable
    assert type(batches[0]["sizes"][0]) is tuple
    # What has arrived is one's own: it can be changed.
    batches[0]["label"] += 1
    assert batches[0]["label"].tolist() == [1, 2]


def test_small_tensors_need_no_memory_of_their_own() -> None:
    """Each tensor that is shared is sent with a file descriptor."""

    class Counting(ForkingPickler):
        shared = 0

        def reducer_override(self, value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                type(self).shared += 1
            return NotImplemented

    batch = all_kinds([1, 2])
    with open("/dev/null", "wb") as nowhere:  # noqa: PTH123
        Counting(nowhere, pickle.HIGHEST_PROTOCOL).dump(Parcel(batch))
    # The large one, and that of a kind which numpy does not have.
    assert Counting.shared == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_of_a_datamodule_do_not_depend_on_it(flowers_root: Any, workers: int) -> None:
    data = FlowersDataModule(flowers_root, image_size=32, batch_size=4, num_workers=workers)
    data.setup("fit")
    batch = next(iter(data.val_dataloader()))
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert {key: as_plain(batch[key]) for key in batch} == {
        key: as_plain(value)
        for key, value in data.val_dataloader().collate_fn([data.datasets["val"][index] for index in range(4)]).items()
    }
