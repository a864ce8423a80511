import gc
import pickle
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import albumentations as A
import pytest
import torch
from torch.utils.data import DataLoader

from lightning_seg.augmentation.collate import collate_segmentation
from lightning_seg.augmentation.seeding import SeededPipeline
from lightning_seg.batch import SegmentationSample
from lightning_seg.datasets import base
from lightning_seg.datasets.oxford_pets import OxfordPetsDataset
from lightning_seg.errors import DataError
from lightning_seg.images import SizedImage, read_image_at

SIZE = (32, 48)


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache of these tests lies; not far down, since loader processes put sockets there (107 characters)."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each picture was decoded in this process."""
    counts: Counter[str] = Counter()

    def counting(path: Path, size: tuple[int, int] | None) -> SizedImage:
        counts[path.stem] += 1
        return read_image_at(path, size)

    monkeypatch.setattr(base, "read_image_at", counting)
    return counts


@pytest.fixture
def dataset(pets_root: Path) -> OxfordPetsDataset:
    """8 cached pictures."""
    dataset = OxfordPetsDataset(pets_root, "test", SIZE, SeededPipeline([A.HorizontalFlip(p=0.5)], seed=1))
    dataset.enable_cache()
    return dataset


def same(first: SegmentationSample, second: SegmentationSample) -> bool:
    images = torch.equal(first["image"], second["image"]) and torch.equal(first["mask"], second["mask"])
    return images and (first["original_size"], first["path"]) == (second["original_size"], second["path"])


def test_cached_samples_are_the_same_in_every_epoch(dataset: OxfordPetsDataset, pets_root: Path) -> None:
    plain = OxfordPetsDataset(pets_root, "test", SIZE, SeededPipeline([A.HorizontalFlip(p=0.5)], seed=1))

    for epoch in range(3):
        assert all(same(dataset[(epoch, index)], plain[(epoch, index)]) for index in range(8))
    assert not all(torch.equal(dataset[(0, index)]["image"], dataset[(1, index)]["image"]) for index in range(8))


def test_each_picture_is_decoded_once(dataset: OxfordPetsDataset, decoded: Counter[str]) -> None:
    for epoch in range(3):
        for index in range(8):
            dataset[(epoch, index)]
    assert len(decoded) == 8
    assert set(decoded.values()) == {1}


def test_without_cache_each_picture_is_decoded_every_time(pets_root: Path, decoded: Counter[str]) -> None:
    dataset = OxfordPetsDataset(pets_root, "test", SIZE)
    for _ in range(3):
        dataset[0]
    assert list(decoded.values()) == [3]


def test_changing_a_sample_does_not_change_the_cache(dataset: OxfordPetsDataset) -> None:
    dataset.pipeline = None
    # The first is decoded, the others come from the cache.
    for _ in range(3):
        sample = dataset[0]
        assert sample["image"].any()
        assert sample["mask"].any()
        sample["image"].zero_()
        sample["mask"].zero_()


def test_copies_for_spawned_workers_share_what_was_decoded(
    dataset: OxfordPetsDataset, decoded: Counter[str], temporary: Path
) -> None:
    first = dataset[0]

    worker = pickle.loads(pickle.dumps(dataset))
    assert same(worker[0], first)
    second = worker[1]
    del worker
    gc.collect()

    assert same(dataset[1], second)
    assert sum(decoded.values()) == 2
    assert len(list(temporary.iterdir())) == 1


def test_pickle_of_a_dataset_holds_no_picture(dataset: OxfordPetsDataset) -> None:
    size = len(pickle.dumps(dataset))
    dataset.cache = None
    # What is left is the name of the cache's folder.
    assert size - len(pickle.dumps(dataset)) < 500


def test_forked_workers_fill_the_cache_and_leave_it(dataset: OxfordPetsDataset, decoded: Counter[str]) -> None:
    loader = DataLoader(
        dataset, batch_size=2, num_workers=2, collate_fn=collate_segmentation, multiprocessing_context="fork"
    )
    batches = list(loader)

    samples = [dataset[index] for index in range(8)]

    assert not decoded
    assert torch.equal(torch.cat([batch["image"] for batch in batches]), torch.stack([s["image"] for s in samples]))


def test_folder_goes_with_its_dataset(pets_root: Path, temporary: Path) -> None:
    dataset = OxfordPetsDataset(pets_root, "test", SIZE)
    dataset.enable_cache()
    dataset[0]
    assert len(list(temporary.iterdir())) == 1

    del dataset
    gc.collect()

    assert list(temporary.iterdir()) == []


def test_subset_does_not_read_the_cache_of_its_source(dataset: OxfordPetsDataset) -> None:
    dataset.pipeline = None
    part = dataset.subset([3, 0])

    first = dataset[0]

    assert part.cache is None
    assert same(part[1], first)
    assert same(part[0], dataset[3])


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_cache_that_does_not_fit_names_the_remedies(
    pets_root: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 8 pictures of 1024 x 1024 pixels, 4 bytes each, are 32 MiB, and a few bytes more.
    dataset = OxfordPetsDataset(pets_root, "test", (1024, 1024))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**30, 2**30 - 2**25, 2**25))

    with pytest.raises(DataError) as error:
        dataset.enable_cache()

    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("the cache of 8 pictures needs ")
    assert str(temporary) in message
    assert message.endswith("set --data.cache false, or the environment variable TMPDIR to a larger folder")
    assert list(temporary.iterdir()) == []
    OxfordPetsDataset(pets_root, "test", (1024, 1023)).enable_cache()


def test_cache_needs_one_size_for_all(pets_root: Path) -> None:
    with pytest.raises(DataError, match="needs one size for all pictures; set image_size, or cache to false"):
        OxfordPetsDataset(pets_root, "test").enable_cache()
