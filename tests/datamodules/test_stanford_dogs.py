import hashlib
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lightning_seg import StanfordDogsDataModule
from lightning_seg.datamodules import stanford_dogs
from lightning_seg.datamodules.downloads import Archive
from lightning_seg.datasets.dog_breeds import DOG_BREEDS
from lightning_seg.datasets.stanford_dogs import StanfordDogsDataset
from lightning_seg.errors import DataError, DownloadError
from lightning_seg.synthetic.stanford_dogs import write_stanford_dogs

BREEDS = ("marsh_hound", "fenwick", "pebble_spaniel")


def make(root: Path, **options: Any) -> StanfordDogsDataModule:
    """Of 6 training pictures of each breed one validates; no worker processes."""
    return StanfordDogsDataModule(root, **{"image_size": 32, "num_workers": 0, **options})


def ready(root: Path, **options: Any) -> StanfordDogsDataModule:
    data = make(root, **options)
    for stage in ("fit", "test"):
        data.setup(stage)
    return data


def names(data: StanfordDogsDataModule) -> dict[str, list[str]]:
    return {split: [record.name for record in dataset.records] for split, dataset in data.datasets.items()}


def listed(root: Path, split: str) -> list[str]:
    return [record.name for record in StanfordDogsDataset(root).records if record.split == split]


def test_training_and_validation_are_the_training_list(dogs_root: Path) -> None:
    data = ready(dogs_root)
    assert (data.class_names, data.num_classes) == (BREEDS, 3)
    counts = {split: dataset.count_labels() for split, dataset in data.datasets.items()}
    assert counts == {"train": [5] * 3, "val": [1] * 3, "test": [2] * 3}
    assert data.count_class_samples() == [5] * 3
    found = names(data)
    assert sorted(found["train"] + found["val"]) == sorted(listed(dogs_root, "train"))
    assert found["test"] == listed(dogs_root, "test")


def test_the_seed_moves_validation_and_never_the_test_photos(dogs_root: Path) -> None:
    found = [names(ready(dogs_root, seed=seed)) for seed in (0, 0, 1)]
    assert found[0] == found[1]
    assert found[0]["val"] != found[2]["val"]
    assert found[0]["test"] == found[2]["test"]


def test_val_fraction_is_read(dogs_root: Path) -> None:
    assert ready(dogs_root, val_fraction=0.5).datasets["val"].count_labels() == [3] * 3
    data = make(dogs_root, val_fraction=0.0)
    data.setup("fit")
    assert not data.validates
    assert len(data.datasets["train"]) == 18


def test_a_batch_holds_the_breeds_of_its_pictures(dogs_root: Path) -> None:
    batch = next(iter(ready(dogs_root, batch_size=6).train_dataloader()))
    assert batch["image"].shape == (6, 3, 32, 32)
    breeds = [Path(path).parent.name.partition("-")[2] for path in batch["path"]]
    assert [BREEDS[label] for label in batch["label"].tolist()] == breeds


def test_the_sizes_of_the_tutorial_are_the_defaults(dogs_root: Path) -> None:
    data = StanfordDogsDataModule(dogs_root)
    assert (data.image_size, data.batch_size) == ((224, 224), 16)


# Where the pictures come from


@pytest.fixture
def published(dogs_root: Path, tmp_path: Path, serve: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder behind the address from which the dataset is fetched; as there, the lists lie in no folder."""
    folder = tmp_path / "published"
    folder.mkdir()
    archives = []
    for name, content in (("images", "Images"), ("annotation", "Annotation"), ("lists", "lists")):
        with tarfile.open(folder / f"{name}.tar", "w") as archive:
            archive.add(dogs_root / content, "." if name == "lists" else content)
        checksum = hashlib.sha256((folder / f"{name}.tar").read_bytes()).hexdigest()
        archives.append(Archive(f"{name}.tar", checksum, creates=content))
    monkeypatch.setattr(stanford_dogs, "ARCHIVES", tuple(archives))
    monkeypatch.setattr(stanford_dogs, "BASE_URL", serve(folder))
    return folder


def test_download_unpacks_all_three_archives(
    published: Path, dogs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The breeds are asked for before anything is there.
    monkeypatch.setattr(stanford_dogs, "DOG_BREEDS", BREEDS)
    data = make(tmp_path / "data" / "dogs", download=True)
    data.prepare_data()
    data.setup("test")
    assert sorted(path.name for path in data.root.glob("[!.]*")) == ["Annotation", "Images", "lists"]
    assert sorted(path.name for path in (data.root / "lists").iterdir()) == ["test_list.mat", "train_list.mat"]
    assert names(data)["test"] == listed(dogs_root, "test")
    dataset = data.datasets["test"]
    assert isinstance(dataset, StanfordDogsDataset)
    assert dataset.boxes(dataset.records[0]).shape == (1, 4)


def test_a_changed_archive_is_refused(published: Path, tmp_path: Path) -> None:
    (published / "images.tar").write_bytes(b"maintenance")
    with pytest.raises(DownloadError, match=r"^[^\n]*images\.tar: what arrived has another sha256 than \w{64};[^\n]*$"):
        make(tmp_path / "dogs", download=True).prepare_data()


def test_addresses_are_the_published_ones() -> None:
    address = "http://vision.stanford.edu/aditya86/ImageNetDogs/"
    assert [stanford_dogs.BASE_URL + archive.filename for archive in stanford_dogs.ARCHIVES] == [
        f"{address}images.tar",
        f"{address}annotation.tar",
        f"{address}lists.tar",
    ]
    assert {len(archive.checksum) for archive in stanford_dogs.ARCHIVES} == {64}


def test_before_the_download_the_breeds_are_the_published_ones(tmp_path: Path) -> None:
    assert make(tmp_path / "dogs", download=True).class_names == DOG_BREEDS


def test_synthetic_dogs_are_written_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stanford_dogs, "write_stanford_dogs", partial(write_stanford_dogs, num_train=16, num_test=8))
    data = make(tmp_path / "dogs", source="synthetic")
    assert len(data.class_names) == 8
    data.prepare_data()
    data.setup("fit")
    assert data.datasets["train"].count_labels() == [1] * 8
    assert data.datasets["val"].count_labels() == [1] * 8


def test_breeds_of_a_synthetic_set_are_those_of_its_lists(dogs_root: Path) -> None:
    assert make(dogs_root, source="synthetic").class_names == BREEDS


def test_other_lists_than_at_construction(dogs_root: Path, tmp_path: Path) -> None:
    data = make(tmp_path / "dogs")
    (tmp_path / "dogs").symlink_to(dogs_root)
    with pytest.raises(DataError, match=r"the classes are marsh_hound, .*, not Chihuahua, .*; build it anew$"):
        data.setup("fit")


def test_missing_data_names_the_remedies(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no lists/train_list\.mat there, .*--data\.download true.*--data\.source synth"
    ):
        make(tmp_path / "dogs").setup("fit")


@pytest.mark.real_data
def test_real_photos(real_data: Path) -> None:
    data = ready(real_data / "stanford_dogs", image_size=64)
    counts = {split: dataset.count_labels() for split, dataset in data.datasets.items()}
    assert counts == {"train": [5] * 120, "val": [1] * 120, "test": [4] * 120}
    assert next(iter(data.val_dataloader()))["image"].shape == (16, 3, 64, 64)
