import hashlib
import logging
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_seg import FlowersDataModule
from lightning_seg.augmentation.mixing import Mixing
from lightning_seg.datamodules import flowers
from lightning_seg.datamodules.base import Loader
from lightning_seg.datamodules.downloads import Archive
from lightning_seg.errors import ConfigError, DataError, DownloadError
from lightning_seg.synthetic.flowers import write_flowers

CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def make(root: Path, **options: Any) -> FlowersDataModule:
    """Of 6 flowers of each class one validates and one tests; no worker processes."""
    return FlowersDataModule(root, **{"image_size": 32, "num_workers": 0, **options})


def ready(root: Path, **options: Any) -> FlowersDataModule:
    data = make(root, **options)
    for stage in ("fit", "test"):
        data.setup(stage)
    return data


def names(data: FlowersDataModule) -> dict[str, list[str]]:
    """Of the records, by split."""
    return {split: [record.name for record in dataset.records] for split, dataset in data.datasets.items()}


def paths(loader: Loader) -> list[str]:
    return [path for batch in loader for path in batch["path"]]


# Splits


def test_each_class_gives_a_tenth_to_validate_and_a_tenth_to_test_on(flowers_root: Path) -> None:
    data = ready(flowers_root)
    counts = {split: dataset.count_labels() for split, dataset in data.datasets.items()}
    assert counts == {"train": [4] * 5, "val": [1] * 5, "test": [1] * 5}
    assert data.count_class_samples() == [4] * 5
    found = sorted(name for part in names(data).values() for name in part)
    assert found == sorted(str(path.relative_to(flowers_root)) for path in flowers_root.rglob("*.jpg"))


def test_the_tutorials_split_is_reached(flowers_root: Path) -> None:
    data = make(flowers_root, val_fraction=0.33, test_fraction=0.0)
    data.setup("fit")
    assert {split: len(dataset) for split, dataset in data.datasets.items()} == {"train": 20, "val": 10}
    with pytest.raises(DataError, match=r": no pictures to test on; train with a --data\.test_fraction above 0$"):
        data.setup("test")


def test_without_validation(flowers_root: Path) -> None:
    data = make(flowers_root, val_fraction=0.0, batch_size=5)
    assert not data.validates
    data.setup("fit")
    assert len(paths(data.train_dataloader())) == 25
    assert list(data.val_dataloader()) == []


def test_one_seed_gives_one_split_and_others_give_others(flowers_root: Path) -> None:
    found = [names(ready(flowers_root, seed=seed)) for seed in (0, 0, 1, 2)]
    assert found[0] == found[1]
    for split in ("val", "test"):
        assert len({tuple(one[split]) for one in found}) == 3


def test_a_photo_that_is_there_twice_is_in_one_split(flowers_copy: Path) -> None:
    rose = sorted((flowers_copy / "roses").iterdir())[0]
    number = rose.stem.split("_")[0]
    (flowers_copy / "tulips" / f"{number}_n.jpg").write_bytes(rose.read_bytes())
    seen = set()
    for seed in range(8):
        found = names(ready(flowers_copy, seed=seed, val_fraction=0.3, test_fraction=0.3))
        (split,) = (split for split, part in found.items() if any(f"roses/{number}" in name for name in part))
        assert f"tulips/{number}_n.jpg" in found[split]
        seen.add(split)
    assert len(seen) > 1


# Batches


def test_batches_hold_pictures_and_labels(flowers_root: Path) -> None:
    data = ready(flowers_root, batch_size=8)
    assert (data.num_classes, data.class_names) == (5, CLASSES)
    seen: list[str] = []
    for batch in data.train_dataloader():
        assert batch["image"].shape == (8, 3, 32, 32)
        assert batch["image"].dtype == torch.uint8
        assert batch["image"].is_contiguous(memory_format=torch.channels_last)
        assert (batch["label"].shape, batch["label"].dtype) == ((8,), torch.int64)
        assert "mask" not in batch
        assert [CLASSES[label] for label in batch["label"].tolist()] == [
            Path(path).parent.name for path in batch["path"]
        ]
        seen += batch["path"]
    assert len(set(seen)) == 16


def test_the_sizes_of_the_tutorial_are_the_defaults(flowers_root: Path) -> None:
    data = FlowersDataModule(flowers_root)
    assert (data.image_size, data.batch_size) == ((180, 180), 32)


def test_mixing_gives_shares(flowers_root: Path) -> None:
    data = ready(flowers_root, batch_size=10, mixing=Mixing("both", prob=1.0))
    batch = next(iter(data.train_dataloader()))
    assert batch["label"].shape == (10, 5)
    assert torch.allclose(batch["label"].sum(dim=1), torch.ones(10))
    # Evaluation is never mixed.
    assert next(iter(data.val_dataloader()))["label"].dtype == torch.int64


def test_only_training_pictures_are_augmented(flowers_root: Path) -> None:
    data, plain = ready(flowers_root, augment="invert"), ready(flowers_root, augment=False)
    differ = {}
    for split in ("train", "val", "test"):
        pairs = [(data.datasets[split][index], plain.datasets[split][index]) for index in range(5)]
        differ[split] = any(not torch.equal(one["image"], other["image"]) for one, other in pairs)
    assert differ == {"train": True, "val": False, "test": False}


def test_the_cache_changes_no_pixel(flowers_root: Path) -> None:
    with_cache, without = ready(flowers_root, cache=True), ready(flowers_root)
    for _ in range(2):
        for index in (0, 7):
            one, other = with_cache.datasets["train"][1, index], without.datasets["train"][1, index]
            assert torch.equal(one["image"], other["image"])
            assert one["label"] == other["label"]


def test_predict_reads_the_test_pictures_alone(flowers_root: Path) -> None:
    data = make(flowers_root)
    data.setup("predict")
    (batch,) = data.predict_dataloader()
    assert len(batch["path"]) == 5
    assert "label" not in batch


# Where the pictures come from


@pytest.fixture
def published(
    flowers_root: Path, tmp_path: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder behind the address from which the photos are fetched."""
    folder = tmp_path / "published"
    folder.mkdir()
    with tarfile.open(folder / "flower_photos.tgz", "w:gz") as archive:
        for name in CLASSES:
            archive.add(flowers_root / name, f"flower_photos/{name}")
    checksum = hashlib.sha256((folder / "flower_photos.tgz").read_bytes()).hexdigest()
    monkeypatch.setattr(flowers, "ARCHIVES", (Archive("flower_photos.tgz", checksum, creates="flower_photos"),))
    monkeypatch.setattr(flowers, "BASE_URL", serve(folder))
    return folder


def test_download_unpacks_the_archive_and_removes_it(published: Path, tmp_path: Path) -> None:
    data = make(tmp_path / "data" / "flowers", download=True)
    data.prepare_data()
    data.setup("fit")
    assert [path.name for path in data.root.glob("[!.]*")] == ["flower_photos"]
    assert len(data.datasets["train"]) == 20
    (published / "flower_photos.tgz").unlink()
    make(data.root, download=True).prepare_data()


def test_nothing_is_downloaded_to_a_folder_of_classes(published: Path, flowers_copy: Path) -> None:
    (flowers_copy / "synthetic.json").unlink()
    make(flowers_copy, download=True).prepare_data()
    assert not (flowers_copy / "flower_photos").exists()


def test_another_archive_is_refused_and_not_kept(published: Path, tmp_path: Path) -> None:
    (published / "flower_photos.tgz").write_bytes(b"<html>maintenance</html>")
    checksum = flowers.ARCHIVES[0].checksum
    with pytest.raises(
        DownloadError,
        match=rf"^http\S+flower_photos\.tgz: what arrived has another sha256 than {checksum}; [^\n]*--data.root[^\n]*$",
    ):
        make(tmp_path / "flowers", download=True).prepare_data()
    assert list((tmp_path / "flowers").iterdir()) == []


def test_nobody_to_download_from_is_one_line(tmp_path: Path, closed_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flowers, "BASE_URL", closed_url)
    with pytest.raises(
        DownloadError, match=r"^[^\n]*flower_photos\.tgz: cannot be downloaded[^\n]*source synthetic[^\n]*$"
    ):
        make(tmp_path / "flowers", download=True).prepare_data()


def test_the_address_is_the_published_one() -> None:
    (archive,) = flowers.ARCHIVES
    address = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
    assert flowers.BASE_URL + archive.filename == address
    assert len(archive.checksum) == 64


def test_synthetic_source_is_written_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(flowers, "write_flowers", partial(write_flowers, num_per_class=3))
    data = make(tmp_path / "flowers", source="synthetic", seed=5)
    with caplog.at_level(logging.WARNING, logger="lightning_seg"):
        data.prepare_data()
        data.setup("fit")
    assert {split: len(dataset) for split, dataset in data.datasets.items()} == {"train": 5, "val": 5}
    assert caplog.messages == []
    before = {path: path.stat().st_mtime_ns for path in data.root.rglob("*.jpg")}
    make(data.root, source="synthetic", seed=6).prepare_data()
    assert {path: path.stat().st_mtime_ns for path in data.root.rglob("*.jpg")} == before


def test_missing_data_is_never_replaced_by_synthetic(tmp_path: Path) -> None:
    data = make(tmp_path / "flowers")
    data.prepare_data()
    with pytest.raises(DataError, match=r"--data\.source synthetic$"):
        data.setup("fit")
    assert not data.root.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val_fraction": 1.5}, "val_fraction 1.5 must be at least 0 and less than 1, for instance 0.1"),
        ({"test_fraction": -0.1}, "test_fraction -0.1 must be at least 0 and less than 1, for instance 0.1"),
        (
            {"val_fraction": 0.5, "test_fraction": 0.5},
            "val_fraction 0.5 and test_fraction 0.5 leave none to train on; ",
        ),
        ({"batch_size": 0}, "batch_size 0 is too small; give 1 or more"),
    ],
)
def test_impossible_arguments_are_refused_at_once(flowers_root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        make(flowers_root, **options)


@pytest.mark.real_data
def test_real_photos(real_data: Path) -> None:
    data = ready(real_data / "flower_photos", image_size=90)
    counts = {split: dataset.count_labels() for split, dataset in data.datasets.items()}
    assert counts == {"train": [96] * 5, "val": [12] * 5, "test": [12] * 5}
    batch = next(iter(data.train_dataloader()))
    assert batch["image"].shape == (32, 3, 90, 90)
    assert batch["image"].float().std() > 30
